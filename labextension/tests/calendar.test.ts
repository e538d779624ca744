import { Signal } from '@lumino/signaling';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { cellAt, cellEnd, movedBy } from '../src/calendar/cell';
import { crowded } from '../src/calendar/crowd';
import { changeOf, draftOf, newDraft, rebookings, requestOf } from '../src/calendar/draft';
import { CalendarModel } from '../src/calendar/model';
import { refusalOf } from '../src/calendar/refusal';
import { tonesOf } from '../src/calendar/words';
import { momentOf, roundedUp, wallTime, zoneChoices } from '../src/calendar/zones';
import { LabError, type LabRequest } from '../src/request';
import type { ILabManager, ILabState } from '../src/tokens';
import type { BookingModel, EventModel } from '../src/wire';

const BERLIN = 'Europe/Berlin';
const WINDOW = { start_at: '2030-01-07T00:00:00Z', end_at: '2030-01-14T00:00:00Z' };

const booking = (changes: Partial<BookingModel> = {}): BookingModel => ({
  id: 'b1',
  version: 3,
  qpu: 'q1',
  booked_by: 'ada',
  start_at: '2030-01-07T09:00:00Z',
  end_at: '2030-01-07T11:00:00Z',
  mode: 'priority',
  status: 'booked',
  title: 'Rabi',
  invited: [],
  mine: true,
  series_id: null,
  slot_id: null,
  timezone: 'UTC',
  used_at: null,
  created_at: null,
  changed_at: null,
  ...changes
});

/** The lab's manager, spoken for by the test: `answers` by "METHOD path", without the query. */
class FakeManager {
  readonly state = { connection: 'connected' } as ILabState;
  readonly changed = new Signal<ILabManager, ILabState>(this as unknown as ILabManager);
  readonly events = new Signal<ILabManager, EventModel>(this as unknown as ILabManager);
  readonly asked: { line: string; body: unknown }[] = [];
  readonly answers: Record<string, () => unknown> = {
    'GET bookings': () => ({ bookings: [], next: null, cut_at: null })
  };
  readonly request: LabRequest = async <T>(path: string, init: RequestInit = {}) => {
    const line = `${init.method ?? 'GET'} ${path}`;
    this.asked.push({ line, body: init.body ? JSON.parse(String(init.body)) : null });
    return (await this.answers[line.split('?')[0] ?? '']?.()) as T;
  };

  hear(event: Partial<EventModel>): void {
    const whole = { seq: 1, prev: 0, kind: 'booking.changed', data: {}, ...event } as EventModel;
    this.events.emit(whole);
  }

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

  it('reads again once for a burst of changes in the window', async () => {
    for (let seq = 1; seq < 50; seq += 1) {
      lab.hear({ seq, prev: seq - 1, data: { before: null, after: booking() } });
    }
    await vi.advanceTimersByTimeAsync(200);
    expect(lab.reads).toBe(2);
  });

  it('reads again for what has left the window, not for what never was in it', async () => {
    const elsewhere = booking({ start_at: WINDOW.end_at, end_at: '2030-01-14T01:00:00Z' });
    lab.hear({ data: { before: null, after: elsewhere } });
    await vi.advanceTimersByTimeAsync(200);
    expect(lab.reads).toBe(1);
    lab.hear({ seq: 2, prev: 1, data: { before: booking(), after: elsewhere } });
    await vi.advanceTimersByTimeAsync(200);
    expect(lab.reads).toBe(2);
  });

  it('reads again after a gap in the events', async () => {
    lab.hear({ seq: 4, prev: 3, kind: 'job.changed' });
    lab.hear({ seq: 9, prev: 8, kind: 'job.changed' });
    await vi.advanceTimersByTimeAsync(200);
    expect(lab.reads).toBe(2);
  });

  it('reads again when the connection is back', async () => {
    lab.changed.emit({ ...lab.state, connection: 'lost' });
    await vi.advanceTimersByTimeAsync(200);
    expect(lab.reads).toBe(1);
    lab.changed.emit(lab.state);
    await vi.advanceTimersByTimeAsync(200);
    expect(lab.reads).toBe(2);
  });

  it('drops an answer that another window has overtaken', async () => {
    let late = (_: unknown): void => undefined;
    lab.answers['GET bookings'] = () => new Promise(resolve => (late = resolve));
    const first = model.refetch();
    lab.answers['GET bookings'] = () => ({ bookings: [booking({ id: 'new' })], next: null });
    await model.show(WINDOW);
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
    };
    await expect(model.restore([booking(), booking({ id: 'b2' })])).rejects.toThrow(
      'q1 is booked.'
    );
    expect(lab.asked.filter(({ line }) => line === 'POST bookings')).toHaveLength(2);
  });

  it('is silent once disposed', async () => {
    model.dispose();
    lab.hear({ data: { before: null, after: booking() } });
    await vi.advanceTimersByTimeAsync(1000);
    expect(lab.reads).toBe(1);
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
    expect(zoneChoices(rules, 'Asia/Tokyo').map(zone => zone.id)).toEqual([
      'Asia/Tokyo',
      'UTC',
      BERLIN
    ]);
    expect(zoneChoices(rules, 'UTC').map(zone => zone.kind)).toEqual(['browser', 'lab']);
  });

  it('round up to a full step', () => {
    expect(roundedUp(new Date('2030-01-07T09:01:00Z'), 5)).toBe('2030-01-07T09:05:00.000Z');
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
    expect(crowded(short, 2000)).toEqual({ single: short, crowds: [] });
  });

  it('puts short bookings together, never mine, and loses none', () => {
    const { single, crowds } = crowded(short, 150);
    expect(single.length + crowds.length).toBeLessThanOrEqual(150);
    expect(single.filter(one => one.mine)).toHaveLength(13);
    expect(single.length + crowds.reduce((sum, crowd) => sum + crowd.count, 0)).toBe(1260);
    expect(crowds.every(crowd => crowd.count > 1 && crowd.start_at < crowd.end_at)).toBe(true);
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
