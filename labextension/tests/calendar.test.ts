import { ServerConnection } from '@jupyterlab/services';
import type { IStateDB } from '@jupyterlab/statedb';
import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { cellAt, cellEnd, movedBy } from '../src/calendar/cell';
import { clustered } from '../src/calendar/clusters';
import { CalendarController } from '../src/calendar/controller';
import { dayAt, pageTitle, turned, windowOf } from '../src/calendar/days';
import { byClock, changeOf, draftOf, newDraft, rebookings, requestOf } from '../src/calendar/draft';
import { keep, recall } from '../src/calendar/memory';
import { CalendarModel } from '../src/calendar/model';
import { refusalOf } from '../src/calendar/refusal';
import { tonesOf } from '../src/calendar/words';
import {
  firstHour,
  momentOf,
  roundedUp,
  timesShown,
  wallTime,
  zoneChoices
} from '../src/calendar/zones';
import { LabError, type LabRequest } from '../src/request';
import type { ILabManager, ILabState } from '../src/tokens';
import type { BookingModel } from '../src/wire';
import { booking as anyBooking, FakeEvents, type ISaid } from './faults';

const BERLIN = 'Europe/Berlin';
const WINDOW = { start_at: '2030-01-07T00:00:00Z', end_at: '2030-01-14T00:00:00Z' };

const booking = (changes: Partial<BookingModel> = {}): BookingModel =>
  anyBooking({
    version: 3,
    qpu: 'q1',
    start_at: '2030-01-07T09:00:00Z',
    end_at: '2030-01-07T11:00:00Z',
    mode: 'priority',
    title: 'Rabi',
    mine: true,
    ...changes
  });

/** The lab's manager, spoken for by the test: `answers` by "METHOD path", without the query. */
class FakeManager {
  readonly state = { connection: 'connected' } as ILabState;
  readonly changed = new Signal<ILabManager, ILabState>(this as unknown as ILabManager);
  readonly events = new FakeEvents();
  readonly follow = this.events.follow;
  readonly asked: { line: string; body: unknown }[] = [];
  readonly answers: Record<string, () => unknown> = {
    'GET bookings': () => ({ bookings: [], next: null, cut_at: null })
  };
  readonly request: LabRequest = async <T>(path: string, init: RequestInit = {}) => {
    const line = `${init.method ?? 'GET'} ${path}`;
    this.asked.push({ line, body: init.body ? JSON.parse(String(init.body)) : null });
    return (await this.answers[line.split('?')[0] ?? '']?.()) as T;
  };

  hear(said: ISaid): void {
    this.events.say({ kind: 'booking.changed', ...said });
  }

  now(): number {
    return Date.parse('2030-01-08T12:00:00Z');
  }

  /** How often the whole window was asked for. */
  get reads(): number {
    return this.asked.filter(({ line }) => line.startsWith('GET bookings?')).length;
  }
}

describe('CalendarModel', () => {
  let lab: FakeManager;
  let model: CalendarModel;

  beforeEach(async () => {
    vi.useFakeTimers();
    lab = new FakeManager();
    model = new CalendarModel(lab as unknown as ILabManager);
    await model.show(WINDOW);
  });

  afterEach(() => {
    model.dispose();
    vi.useRealTimers();
  });

  it('reads all pages of the visible window, and no more', async () => {
    const pages = [
      { bookings: [booking()], next: 'c1', cut_at: null },
      { bookings: [booking({ id: 'b2' })], next: null, cut_at: null }
    ];
    lab.answers['GET bookings'] = () => pages.shift();
    await model.refetch();
    expect(model.state.bookings.map(found => found.id)).toEqual(['b1', 'b2']);
    const query = new URLSearchParams(lab.asked.at(-1)?.line.split('?')[1]);
    expect(Object.fromEntries(query)).toEqual({
      start: WINDOW.start_at,
      end: WINDOW.end_at,
      status: 'booked',
      limit: '2000',
      after: 'c1'
    });
  });

  const changed = (id: string, before: object | null, after: object): ISaid => ({
    data: { booking_id: id, before, after }
  });

  it('asks for one booking when an event names one, and leaves the others as they are', async () => {
    const [known, moved] = [booking(), booking({ id: 'b2', version: 4 })];
    lab.answers['GET bookings'] = () => ({ bookings: [known], next: null });
    await model.refetch();
    lab.answers['GET bookings/b2'] = () => moved;
    lab.hear(changed('b2', null, moved));
    lab.hear(changed('b2', moved, moved));
    await vi.advanceTimersByTimeAsync(200);
    expect(lab.asked.slice(2).map(({ line }) => line)).toEqual(['GET bookings/b2']);
    expect(model.state.bookings).toEqual([known, moved]);
    expect(model.state.bookings[0]).toBe(known);
  });

  it('reads the window once for a burst that concerns many', async () => {
    for (let n = 1; n < 50; n += 1) {
      lab.hear(changed(`b${n}`, null, booking()));
    }
    await vi.advanceTimersByTimeAsync(200);
    expect(lab.asked).toHaveLength(2);
    expect(lab.reads).toBe(2);
  });

  it('takes out what has left the window or was given up, and is deaf to what never was in it', async () => {
    const there = { start_at: WINDOW.end_at, end_at: '2030-01-14T01:00:00Z' };
    lab.answers['GET bookings'] = () => ({
      bookings: [booking(), booking({ id: 'b2' })],
      next: null
    });
    await model.refetch();
    lab.hear(changed('b3', null, booking(there)));
    await vi.advanceTimersByTimeAsync(200);
    expect(lab.asked).toHaveLength(2);
    lab.answers['GET bookings/b1'] = () => booking({ ...there, version: 4 });
    lab.answers['GET bookings/b2'] = () => booking({ id: 'b2', version: 4, status: 'deleted' });
    lab.hear(changed('b1', booking(), booking(there)));
    lab.hear(changed('b2', booking(), booking()));
    await vi.advanceTimersByTimeAsync(200);
    expect(model.state.bookings).toEqual([]);
  });

  it('does not believe an answer that is older than what it knows', async () => {
    lab.answers['GET bookings'] = () => ({ bookings: [booking({ version: 9 })], next: null });
    await model.refetch();
    lab.answers['GET bookings/b1'] = () => booking({ version: 8, title: 'old' });
    lab.hear(changed('b1', booking(), booking()));
    await vi.advanceTimersByTimeAsync(200);
    expect(model.state.bookings[0]?.title).toBe('Rabi');
  });

  it('asks once more for what changed while the window was read', async () => {
    let answer = (_: unknown): void => undefined;
    lab.answers['GET bookings'] = () =>
      new Promise(resolve => {
        answer = resolve;
      });
    const reading = model.refetch();
    lab.hear(changed('b2', null, booking()));
    await vi.advanceTimersByTimeAsync(200);
    expect(lab.asked).toHaveLength(2);
    answer({ bookings: [], next: null });
    await reading;
    lab.answers['GET bookings/b2'] = () => booking({ id: 'b2' });
    await vi.advanceTimersByTimeAsync(200);
    expect(model.state.bookings.map(found => found.id)).toEqual(['b2']);
  });

  it('needs nothing for a part of what it keeps up to date, and one page for another week', async () => {
    await model.show({ start_at: '2030-01-08T00:00:00Z', end_at: '2030-01-09T00:00:00Z' });
    expect(lab.asked).toHaveLength(1);
    await model.show({ start_at: WINDOW.end_at, end_at: '2030-01-21T00:00:00Z' });
    expect(lab.asked).toHaveLength(2);
  });

  it('shows at once what one has done oneself', async () => {
    lab.answers['POST bookings'] = () => ({ bookings: [booking()], next: null, cut_at: null });
    await model.book({ qpu: 'q1', start_at: WINDOW.start_at, end_at: WINDOW.end_at });
    expect(model.state.bookings).toEqual([booking()]);
    lab.answers['PATCH bookings/b1'] = () => booking({ version: 4, title: 'Ramsey' });
    await model.change('b1', { title: 'Ramsey' }, 'following');
    expect(lab.asked.at(-1)?.line).toBe('PATCH bookings/b1?series=following');
    expect(model.state.bookings[0]?.title).toBe('Ramsey');
    lab.answers['DELETE bookings/b1'] = () => ({
      bookings: [booking({ version: 5, status: 'deleted' })]
    });
    await model.remove('b1');
    expect(model.state.bookings).toEqual([]);
    expect(lab.reads).toBe(1);
  });

  it('reads again after a gap in the events', async () => {
    await lab.events.lose();
    await vi.advanceTimersByTimeAsync(200);
    expect(lab.reads).toBe(2);
  });

  it('reads again when the connection is back', async () => {
    await lab.events.back();
    await vi.advanceTimersByTimeAsync(200);
    expect(lab.reads).toBe(2);
  });

  it('drops an answer that another window has overtaken', async () => {
    let late = (_: unknown): void => undefined;
    lab.answers['GET bookings'] = () => new Promise(resolve => (late = resolve));
    const first = model.refetch();
    lab.answers['GET bookings'] = () => ({ bookings: [booking({ id: 'new' })], next: null });
    await model.show({ start_at: WINDOW.end_at, end_at: '2030-01-21T00:00:00Z' });
    late({ bookings: [booking({ id: 'old' })], next: null });
    await first;
    expect(model.state.bookings.map(found => found.id)).toEqual(['new']);
  });

  it('keeps what it knew when the lab does not answer', async () => {
    lab.answers['GET bookings'] = () => ({ bookings: [booking()], next: null });
    await model.refetch();
    lab.answers['GET bookings'] = () => {
      throw new Error('The lab is down for the night.');
    };
    await model.refetch();
    expect(model.state).toMatchObject({
      bookings: [booking()],
      problem: 'The lab is down for the night.'
    });
  });

  it('finds the earliest free interval of several QPUs, whatever one of them says', async () => {
    const free = [
      { qpu: 'q1', start_at: '2030-01-07T12:00:00Z' },
      null,
      { qpu: 'q3', start_at: '2030-01-07T10:00:00Z' }
    ];
    lab.answers['GET bookings/next-free'] = () => {
      const found = free.shift();
      if (!found) {
        throw new Error('nothing free');
      }
      return found;
    };
    const found = await model.nextFree(['q1', 'q2', 'q3'], 3600, WINDOW.start_at);
    expect(found.qpu).toBe('q3');
    await expect(model.nextFree(['q2'], 3600, WINDOW.start_at)).rejects.toThrow('nothing free');
  });

  it('books again all that it can of what was deleted, and says why it could not', async () => {
    let refusals = 1;
    lab.answers['POST bookings'] = () => {
      if (refusals-- > 0) {
        throw new Error('q1 is booked.');
      }
      return { bookings: [booking({ id: 'new' })], next: null, cut_at: null };
    };
    await expect(model.restore([booking(), booking({ id: 'b2' })])).rejects.toThrow(
      'q1 is booked.'
    );
    expect(lab.asked.filter(({ line }) => line === 'POST bookings')).toHaveLength(2);
  });

  it('is silent once disposed', async () => {
    model.dispose();
    lab.hear(changed('b1', null, booking()));
    await lab.events.lose();
    await vi.advanceTimersByTimeAsync(1000);
    expect(lab.asked).toHaveLength(1);
  });
});

describe('drafts', () => {
  it('are read by the clock that is shown', () => {
    const draft = newDraft('q1', '2030-07-01T09:00', '2030-07-01T10:00');
    expect(requestOf(draft, BERLIN)).toMatchObject({
      start_at: '2030-07-01T07:00:00Z',
      end_at: '2030-07-01T08:00:00Z'
    });
  });

  it('repeat by the wall clock of that zone', () => {
    const draft = { ...newDraft('q1', '2030-01-07T09:00', '2030-01-07T10:00'), times: 4 };
    expect(requestOf({ ...draft, repeat: 'weekdays' }, BERLIN)).toMatchObject({
      rrule: 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;COUNT=4',
      timezone: BERLIN
    });
    expect(requestOf(draft, BERLIN)).not.toHaveProperty('rrule');
  });

  it('are no request while a time is missing', () => {
    expect(requestOf(newDraft('q1', '', '2030-01-07T10:00'), 'UTC')).toBeNull();
  });

  it('keep the seconds of a time that was left alone', () => {
    const old = booking({ start_at: '2030-01-07T09:00:12Z' });
    const draft = { ...draftOf(old, BERLIN), invited: ' grace,, bob ' };
    expect(changeOf(draft, BERLIN)).toMatchObject({
      start_at: old.start_at,
      invited: ['grace', 'bob'],
      version: 3
    });
  });

  it('mean the same moments by another clock, also where that clock is put back', () => {
    const late = booking({ start_at: '2030-10-27T01:30:00Z', end_at: '2030-10-27T02:30:00Z' });
    const draft = byClock(draftOf(late, BERLIN), BERLIN, 'UTC');
    expect([draft.start, draft.end]).toEqual(['2030-10-27T01:30', '2030-10-27T02:30']);
    expect(byClock(draft, 'UTC', BERLIN)).toEqual(draftOf(late, BERLIN));
    expect(changeOf(draftOf(late, BERLIN), BERLIN)?.start_at).toBe(late.start_at);
    const empty = newDraft('q1', '', '2030-01-07T10:00');
    expect(byClock(empty, BERLIN, 'UTC')).toBe(empty);
  });

  it('book a slot of several QPUs again as one, and for whom it was', () => {
    const slot = [booking({ slot_id: 's' }), booking({ id: 'b2', qpu: 'q2', slot_id: 's' })];
    const [first, second, third] = rebookings([...slot, booking({ booked_by: 'bob' })], 'ada');
    expect(first?.qpus).toEqual(['q1', 'q2']);
    expect(second).toMatchObject({ qpu: 'q1', booked_by: 'bob' });
    expect(third).toBeUndefined();
  });
});

describe('clocks', () => {
  it('leave no hour out and show none twice, across daylight saving', () => {
    expect(momentOf('2030-03-31T02:30', BERLIN)).toBe('2030-03-31T01:30:00Z');
    expect(wallTime('2030-03-31T01:30:00Z', BERLIN)).toBe('2030-03-31T03:30');
    expect(momentOf('2030-10-27T02:30', BERLIN)).toBe('2030-10-27T00:30:00Z');
    expect(momentOf('soon', BERLIN)).toBeNull();
  });

  it("are the browser's, UTC and those of the lab's rules, each once", () => {
    const rule = { quiet: [{ start: '22:00', end: '06:00', timezone: BERLIN }] };
    const common = { id: 'r', qpu: null, group: null, changed_by: 'ada', changed_at: '' };
    const rules = { rules: [{ ...common, rule }], mine: {} };
    expect(zoneChoices(rules, 'UTC', 'Asia/Tokyo').map(zone => zone.id)).toEqual([
      'Asia/Tokyo',
      'UTC',
      BERLIN
    ]);
    expect(zoneChoices(rules, 'UTC', 'UTC').map(zone => zone.kind)).toEqual(['own', 'lab']);
    const chosen = zoneChoices(null, 'Asia/Tokyo', 'UTC').map(zone => zone.id);
    expect(chosen).toEqual(['UTC', 'Asia/Tokyo']);
  });

  it('say which time they show twice, and which not at all', () => {
    expect(timesShown('2030-10-27T02:30', BERLIN)).toBe(2);
    expect(timesShown('2030-03-31T02:30', BERLIN)).toBe(0);
    expect(timesShown('2030-10-27T03:30', BERLIN)).toBe(1);
  });

  it('round up to a full step', () => {
    expect(roundedUp(new Date('2030-01-07T09:01:00Z'), 5)).toBe('2030-01-07T09:05:00.000Z');
  });
});

describe('pages', () => {
  it('are a day or a week from Monday, 25 hours longer or shorter where the clocks change', () => {
    expect(windowOf('week', '2030-10-27', BERLIN)).toEqual({
      start_at: '2030-10-20T22:00:00Z',
      end_at: '2030-10-27T23:00:00Z'
    });
    const day = windowOf('day', '2030-10-27', BERLIN);
    expect(Date.parse(day.end_at) - Date.parse(day.start_at)).toBe(25 * 3_600_000);
    expect(windowOf('agenda', '2030-01-07', 'UTC')).toEqual(WINDOW);
  });

  it('are turned, and have names', () => {
    expect(turned('week', '2030-01-08', -1)).toBe('2030-01-01');
    expect(turned('day', '2030-12-31', 1)).toBe('2031-01-01');
    expect(dayAt(Date.parse('2030-01-07T23:30:00Z'), BERLIN)).toBe('2030-01-08');
    expect(pageTitle('day', '2030-01-07', 'en-GB')).toContain('Monday');
    expect(pageTitle('week', '2030-01-09', 'en-GB')).toMatch(/^7\W+13 January 2030$/);
  });
});

describe('habits', () => {
  const db = (kept: unknown) => ({ fetch: async () => kept }) as unknown as IStateDB;

  it('come back as they were kept', async () => {
    const habits = { view: 'day', zone: BERLIN, hidden: ['q1'] } as const;
    let kept: unknown;
    const save = async (_: string, value: unknown) => {
      kept = value;
    };
    await keep({ save } as unknown as IStateDB, habits);
    expect(await recall(db(kept))).toEqual(habits);
  });

  it('are forgotten where they make no sense', async () => {
    expect(await recall(db({ view: 'year', zone: 'Mars/Base', hidden: 'q1' }))).toEqual({});
    expect(await recall(db(undefined))).toEqual({});
    expect(await recall(null)).toEqual({});
  });
});

describe('the controller', () => {
  const trans = nullTranslator.load('qpi-jupyter');
  const open = (habits = {}) => {
    const lab = new FakeManager();
    const model = new CalendarModel(lab as unknown as ILabManager);
    return {
      lab,
      model,
      controller: new CalendarController(model, trans, () => {}, { zone: 'UTC', ...habits })
    };
  };
  const hour = (start: string, end: string) => ({
    start_at: `2030-01-08T${start}:00Z`,
    end_at: `2030-01-08T${end}:00Z`
  });

  it("begins at the lab's today, whatever this computer's clock says", () => {
    const { controller } = open({ view: 'day' });
    expect(controller.state).toMatchObject({ view: 'day', day: '2030-01-08', hidden: [] });
    controller.turn(3);
    expect(controller.state.day).toBe('2030-01-11');
    controller.goToday();
    expect(controller.state.day).toBe('2030-01-08');
    expect(controller.habits).toMatchObject({ view: 'day', hidden: [] });
  });

  it('refuses a time that has passed, and leaves out what has passed of one', () => {
    const { controller } = open();
    controller.draw('q1', hour('10:00', '12:00'));
    expect(controller.state).toMatchObject({ draft: null });
    expect(controller.state.refusal?.message).toContain('has passed');
    controller.draw('q1', hour('11:30', '13:00'));
    expect(controller.state.draft).toMatchObject({
      start: '2030-01-08T12:00',
      end: '2030-01-08T13:00'
    });
    expect(controller.state.refusal).toBeNull();
  });

  it('asks for the next free hour from the time of the lab on', async () => {
    const { lab, controller } = open();
    const free = { qpu: 'q1', ...hour('12:00', '13:00') };
    lab.answers['GET bookings/next-free'] = () => free;
    lab.answers['POST bookings'] = () => ({ bookings: [booking()], next: null });
    await controller.bookNextHour(['q1']);
    expect(lab.asked[0]?.line).toContain(encodeURIComponent('2030-01-08T12:00:00.000Z'));
  });

  it('keeps what was typed when the clock is switched, and when the lab is away', async () => {
    const { lab, controller } = open();
    controller.draw('q1', hour('14:00', '15:00'));
    controller.edit({ title: 'Rabi' });
    controller.setZone(BERLIN);
    expect(controller.state.draft).toMatchObject({ title: 'Rabi', start: '2030-01-08T15:00' });
    lab.answers['POST bookings'] = () => {
      throw new ServerConnection.NetworkError(new TypeError('Failed to fetch'));
    };
    await controller.save();
    expect(controller.state.refusal?.message).toContain('does not answer');
    lab.answers['POST bookings'] = () => {
      throw new ServerConnection.ResponseError(new Response(null, { status: 403 }), 'Forbidden');
    };
    await controller.save();
    expect(controller.state.refusal?.message).toContain('signed out');
    expect(controller.state.draft?.title).toBe('Rabi');
  });

  it('asks how much of a series is moved, and puts it back where one changes one’s mind', async () => {
    const { lab, controller } = open();
    const repeats = booking({ series_id: 's' });
    let reverted = 0;
    const revert = () => (reverted += 1);
    await controller.move(repeats, hour('14:00', '15:00'), revert);
    controller.dismiss();
    expect([reverted, lab.asked.length, controller.state.question]).toEqual([1, 0, null]);
    lab.answers['PATCH bookings/b1'] = () => repeats;
    await controller.move(repeats, hour('14:00', '15:00'), revert);
    controller.state.question?.take('following');
    await vi.waitFor(() => expect(lab.asked).toHaveLength(1));
    expect(lab.asked[0]?.line).toBe('PATCH bookings/b1?series=following');
  });

  it('puts a booking back that the lab did not let go', async () => {
    const { lab, controller } = open();
    lab.answers['PATCH bookings/b1'] = () => {
      throw new Error('The booking has changed since version 3: read it again.');
    };
    const revert = vi.fn();
    await controller.move(booking(), hour('14:00', '15:00'), revert);
    expect(revert).toHaveBeenCalledOnce();
    expect(controller.state.refusal?.message).toContain('has changed');
  });
});

describe('the cell', () => {
  const cell = cellAt('2030-01-07T09:17');

  it('begins on a row of the grid', () => {
    expect(cell).toEqual({ start: '2030-01-07T09:00', steps: 1 });
    expect(cellEnd(cell)).toBe('2030-01-07T09:30');
  });

  it.each([
    ['ArrowUp', '2030-01-07T08:30'],
    ['ArrowDown', '2030-01-07T09:30'],
    ['ArrowLeft', '2030-01-06T09:00'],
    ['ArrowRight', '2030-01-08T09:00'],
    ['PageDown', '2030-01-14T09:00'],
    ['Home', '2030-01-03T12:00']
  ])('follows %s', (key, start) => {
    expect(movedBy(key, false, cell, 7, '2030-01-03T12:10')?.start).toBe(start);
  });

  it('grows and shrinks with Shift, and is never empty', () => {
    const grown = movedBy('ArrowDown', true, cell, 7, cell.start);
    expect(grown?.steps).toBe(2);
    expect(movedBy('ArrowUp', true, cell, 7, cell.start)?.steps).toBe(1);
    expect(movedBy('a', false, cell, 7, cell.start)).toBeNull();
  });
});

describe('a full week', () => {
  const at = (minutes: number) => new Date(Date.UTC(2030, 0, 7, 0, minutes)).toISOString();
  const short = Array.from({ length: 1260 }, (_, n) =>
    booking({ id: `b${n}`, mine: n % 100 === 0, start_at: at(8 * n), end_at: at(8 * n + 7) })
  );

  it('is drawn as it is while that is quick', () => {
    expect(clustered(short, 2000)).toEqual({ single: short, clusters: [] });
  });

  it('puts short bookings together, never mine, and loses none', () => {
    const { single, clusters } = clustered(short, 150);
    expect(single.length + clusters.length).toBeLessThanOrEqual(150);
    expect(single.filter(one => one.mine)).toHaveLength(13);
    expect(single.length + clusters.reduce((sum, cluster) => sum + cluster.count, 0)).toBe(1260);
    expect(clusters.every(cluster => cluster.count > 1 && cluster.start_at < cluster.end_at)).toBe(
      true
    );
  });
});

describe('refusals', () => {
  it('offer what the lab offers', () => {
    const next_free = { start_at: '2030-01-07T12:00:00Z', end_at: '2030-01-07T13:00:00Z' };
    const conflict = new LabError(
      new Response(null, { status: 409 }),
      'q1 is booked.',
      'booking_conflict',
      { next_free }
    );
    expect(refusalOf(conflict)).toEqual({ message: 'q1 is booked.', nextFree: next_free });
    expect(refusalOf(new Error('no route')).nextFree).toBeNull();
  });
});

it('gives a QPU the same colour in whatever order they come', () => {
  expect(tonesOf(['b', 'a'])).toEqual(tonesOf(['a', 'b']));
});

it('opens in the morning, or where now is if that is out of sight', () => {
  const opens = (hour: number) => firstHour(Date.UTC(2030, 0, 7, hour, 50), 'UTC');
  expect([0, 1, 5, 9, 16, 17, 23].map(opens)).toEqual([0, 0, 4, 8, 8, 16, 22]);
});
