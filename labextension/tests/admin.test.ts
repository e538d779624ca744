import { nullTranslator } from '@jupyterlab/translation';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { launchFields, launchOf } from '../src/admin/executors';
import { concerns } from '../src/admin/section';
import { SECTIONS, sectionsFor } from '../src/admin/sections';
import {
  answerOf,
  joinLinkOf,
  noticeOf,
  optionLines,
  passwordIn,
  quietHours,
  quietLines,
  ruleOf,
  ruleValues,
  simulatorOf,
  touchedPart,
  userChangeOf
} from '../src/admin/values';
import { everything, type IPage, Listing, whole } from '../src/board/listing';
import { reloadOn } from '../src/board/rows';
import { fieldsOf } from '../src/board/schema';
import {
  amount,
  count,
  length,
  local,
  momentIn,
  nameIn,
  names,
  seconds,
  touchedOf
} from '../src/board/values';
import { driverState } from '../src/driverstate';
import type { LabRequest } from '../src/request';
import { at, send } from '../src/send';
import type { LabEvent } from '../src/wire';
import { FakeEvents, event as said } from './faults';

const event = (kind: LabEvent['kind']) => said({ kind });

/** A page's answers, given when the test says so. */
function held<T>() {
  const waiting: {
    after: string | null;
    answer: (page: IPage<T>) => void;
    refuse: (error: Error) => void;
  }[] = [];
  const fetch = (after: string | null) =>
    new Promise<IPage<T>>((answer, refuse) => waiting.push({ after, answer, refuse }));
  return { waiting, fetch };
}

describe('what a driver is started with', () => {
  const trans = nullTranslator.load('');
  const mock = {
    name: 'mock',
    package: 'qpi-jupyter',
    description: 'A small chip.',
    summary: '',
    formats: [],
    simulator: true,
    problem: '',
    options: { properties: { num_qubits: { type: 'integer', default: 5 } } }
  };
  const fridge = { ...mock, name: 'fridge', simulator: false };
  const fields = (executor: string, onDevice: boolean) =>
    launchFields([mock, fridge], { executor }, onDevice, trans).map(field => field.name);

  it('is asked for by the schema of an installed executor, or as text', () => {
    expect(fields('', false)).toEqual(['executor', 'python']);
    expect(fields('mock', false)).toEqual(['executor', 'option num_qubits', 'python']);
    expect(fields('module:Class', false)).toEqual(['executor', 'another', 'options', 'python']);
  });

  it('says that it is a simulator where that stands for a device', () => {
    expect(fields('mock', true)).toContain('allow_simulator');
    expect(fields('module:Class', true)).toContain('allow_simulator');
    expect(fields('fridge', true)).not.toContain('allow_simulator');
  });

  it('is no simulator for a device unless that is allowed', () => {
    const chosen = { executor: 'mock' };
    expect(() => launchOf(chosen, [mock], true, trans)).toThrow('mock is a simulator');
    expect(launchOf(chosen, [mock], false, trans)).toMatchObject({ executor: 'mock' });
    const fridge2 = { executor: 'fridge' };
    expect(launchOf(fridge2, [fridge], true, trans)).toMatchObject({ executor: 'fridge' });
  });

  it('goes along in its types', () => {
    const chosen = { executor: 'mock', 'option num_qubits': '7', allow_simulator: true };
    expect(launchOf(chosen, [mock], true, trans)).toEqual({
      executor: 'mock',
      options: { num_qubits: 7 },
      python: '',
      allow_simulator: true
    });
    const written = 'a=1\n\n  url = http://x/?q=2 \n';
    const another = { executor: 'module:Class', another: 'my:Own', options: written, python: '/p' };
    expect(launchOf(another, [mock], true, trans)).toEqual({
      executor: 'my:Own',
      options: { a: '1', url: 'http://x/?q=2' },
      python: '/p',
      allow_simulator: false
    });
    expect(() => launchOf({ ...another, options: 'seven' }, [mock], true, trans)).toThrow(
      'KEY=VALUE'
    );
  });
});

describe('a driver', () => {
  it.each([
    [{ enabled: true, linked: true, draining: false }, ['Connected', 'online']],
    [{ enabled: true, linked: true, draining: true }, ['Draining', 'draining']],
    [{ enabled: true, linked: false, draining: false }, ['Not connected', 'offline']],
    [{ enabled: false, linked: false, draining: false }, ['Switched off', 'offline']]
  ])('is in a state that has a word: %o', (driver, state) => {
    expect(driverState(driver, nullTranslator.load(''))).toEqual(state);
  });
});

describe('sections', () => {
  it('are those that the permissions allow', () => {
    expect(sectionsFor(['qpus:read', 'jobs:submit'])).toEqual([]);
    expect(sectionsFor(['qpus:operate', 'audit:read'])).toEqual(['qpus', 'audit', 'config']);
    expect(sectionsFor(Object.values(SECTIONS))).toEqual(Object.keys(SECTIONS));
  });

  it('are asked anew for what concerns them', () => {
    expect(concerns('drivers', event('qpu.changed'))).toBe(true);
    expect(concerns('notices', event('notice.changed'))).toBe(true);
    expect(concerns('notices', event('job.progress'))).toBe(false);
    expect(concerns('audit', event('qpu.changed'))).toBe(false);
    expect(concerns('audit', event('audit.written'))).toBe(true);
    expect(concerns('rules', event('booking_rule.changed'))).toBe(true);
  });
});

describe('joinLinkOf', () => {
  it('reads the form', () => {
    const values = {
      name: ' Spring school ',
      group: 'qed',
      allowance: '1 h',
      uses: '20',
      days: '3'
    };
    const link = { name: 'Spring school', group: 'qed', allowance_s: 3600, uses: 20, days: 3 };
    expect(joinLinkOf(values)).toEqual(link);
    const bare = { name: '', group: null, allowance_s: null, uses: 1, days: 7 };
    expect(joinLinkOf({ uses: '1', days: '7' })).toEqual(bare);
    expect(() => joinLinkOf({ uses: '0', days: '7' })).toThrow('at least 1');
    expect(() => joinLinkOf({ uses: '1', days: '7', allowance: 'x' })).toThrow('length of time');
  });
});

describe('Listing', () => {
  it('walks through the pages', async () => {
    const pages: Record<string, IPage<number>> = {
      '': { rows: [1, 2], next: 'b' },
      b: { rows: [3], next: null }
    };
    const fetch = async (after: string | null) => pages[after ?? ''] ?? { rows: [], next: null };
    const listing = new Listing(fetch);
    await listing.load();
    expect(listing.state).toMatchObject({ rows: [1, 2], next: 'b', loaded: true, busy: false });
    await listing.more();
    await listing.more();
    expect(listing.state).toMatchObject({ rows: [1, 2, 3], next: null });
    expect(await everything(fetch)).toEqual([1, 2, 3]);
  });

  it('keeps its pages when it is asked anew, and finds the rest', async () => {
    let rows = [1, 2, 3, 4, 5];
    const asked: (string | null)[] = [];
    const fetch = async (after: string | null) => {
      asked.push(after);
      const at = Number(after ?? 0);
      return { rows: rows.slice(at, at + 2), next: at + 2 < rows.length ? `${at + 2}` : null };
    };
    const listing = new Listing(fetch);
    await listing.load();
    await listing.more();
    rows = [0, ...rows];
    await listing.load();
    expect(listing.state).toMatchObject({ rows: [0, 1, 2, 3], next: '4' });
    await listing.rest();
    expect(listing.state).toMatchObject({ rows: [0, 1, 2, 3, 4, 5], next: null });
    asked.length = 0;
    await listing.begin();
    expect(listing.state).toMatchObject({ rows: [0, 1], next: '2' });
    expect(asked).toEqual([null]);
  });

  it('shows the answer to the newest question, whichever comes last', async () => {
    const { waiting, fetch } = held<string>();
    const listing = new Listing(fetch);
    const [first, second] = [listing.load(), listing.load()];
    waiting[1]?.answer({ rows: ['new'], next: null });
    waiting[0]?.answer({ rows: ['old'], next: null });
    await Promise.all([first, second]);
    expect(listing.state.rows).toEqual(['new']);
  });

  it('keeps what it knew and says why the lab refuses', async () => {
    const { waiting, fetch } = held<string>();
    const listing = new Listing(fetch);
    const first = listing.load();
    waiting[0]?.answer({ rows: ['a'], next: null });
    await first;
    const second = listing.load();
    waiting[1]?.refuse(new Error('The lab is down for the night.'));
    await second;
    expect(listing.state).toMatchObject({ rows: ['a'], problem: 'The lab is down for the night.' });
  });

  it('says nothing any more once disposed of', async () => {
    const listing = new Listing(whole(async () => [1]));
    const heard: number[] = [];
    listing.changed.connect((_, state) => heard.push(state.rows.length));
    listing.dispose();
    await listing.load();
    expect(heard).toEqual([]);
  });
});

describe('rows', () => {
  let events: FakeEvents;
  const reload = vi.fn(async () => undefined);
  const ofQpus = (event: LabEvent) => concerns('qpus', event);
  const passes = (ms: number) => vi.advanceTimersByTimeAsync(ms);

  beforeEach(() => {
    vi.useFakeTimers();
    reload.mockClear();
    events = new FakeEvents();
  });
  afterEach(() => void vi.useRealTimers());

  it('are asked for once after a burst of events, and not after they are left', async () => {
    const leave = reloadOn(events, ofQpus, reload);
    for (let n = 0; n < 20; n += 1) {
      events.say({ kind: 'qpu.changed' });
      events.say({ kind: 'job.progress' });
    }
    await passes(1000);
    expect(reload).toHaveBeenCalledTimes(1);
    leave();
    events.say({ kind: 'qpu.changed' });
    await passes(1000);
    expect(reload).toHaveBeenCalledTimes(1);
  });

  it('are asked for while it pours, but not at each drop', async () => {
    const leave = reloadOn(events, ofQpus, reload);
    for (let n = 0; n < 100; n += 1) {
      events.say({ kind: 'qpu.changed' });
      events.say({ kind: 'notice.changed' });
      await passes(10);
    }
    await passes(1000);
    expect(reload.mock.calls.length).toBeGreaterThanOrEqual(3);
    expect(reload.mock.calls.length).toBeLessThanOrEqual(5);
    leave();
    events.say({ kind: 'qpu.changed' });
    await events.lose();
    await passes(1000);
    expect(reload.mock.calls.length).toBeLessThanOrEqual(5);
  });

  it('are asked for anew where events were lost, and when the lab is back', async () => {
    const leave = reloadOn(events, () => false, reload);
    await events.lose();
    await passes(1000);
    expect(reload).toHaveBeenCalledTimes(1);
    events.say({ kind: 'qpu.changed' });
    await passes(1000);
    expect(reload).toHaveBeenCalledTimes(1);
    await events.back();
    await passes(1000);
    expect(reload).toHaveBeenCalledTimes(2);
    leave();
    await events.back();
    await events.lose();
    await passes(1000);
    expect(reload).toHaveBeenCalledTimes(2);
  });
});

describe('requests', () => {
  it('quote what people typed', () => {
    expect(at('accounts', 'group:a/b', 'grants')).toBe('accounts/group%3Aa%2Fb/grants');
  });

  it('carry their body as JSON', async () => {
    const asked: [string, RequestInit | undefined][] = [];
    const request: LabRequest = async <T>(path: string, init?: RequestInit) => {
      asked.push([path, init]);
      return {} as T;
    };
    await send(request, 'PATCH', 'qpus/a', { hold: null });
    await send(request, 'DELETE', 'qpus/a');
    expect(asked).toEqual([
      ['qpus/a', { method: 'PATCH', body: '{"hold":null}' }],
      ['qpus/a', { method: 'DELETE' }]
    ]);
  });
});

describe('lengths of time', () => {
  it.each([
    ['90', 90],
    ['90 s', 90],
    ['5min', 300],
    ['1.5 h', 5400],
    ['1,5 h', 5400],
    ['2 d', 172_800],
    ['-10 min', -600]
  ])('%s is read', (written, value) => {
    expect(seconds(written)).toBe(value);
  });

  it.each(['', 'an hour', '5 weeks', '1e9999', '0x10'])('%s is not', written => {
    expect(() => seconds(written)).toThrow('as a length of time');
  });

  it.each([0, 1, 59, 90, 3600, 5400, 5432.1, 86_400, 129_600])(
    '%d s are written as read',
    value => {
      expect(seconds(length(value))).toBeCloseTo(value, 2);
    }
  );

  it('are short to read', () => {
    expect([length(5400), length(1800), length(172_800), length(12.345), length(null)]).toEqual([
      '1.5 h',
      '30 min',
      '2 d',
      '12.35 s',
      ''
    ]);
  });
});

describe('forms', () => {
  it('read names in any order of commas and lines, each once', () => {
    expect(names({ people: ' ann, bob\nann;eve ' }, 'people')).toEqual(['ann', 'bob', 'eve']);
  });

  it('read whole numbers only', () => {
    expect(count({ places: '4' }, 'places')).toBe(4);
    for (const places of ['', '0', '1.5', 'two']) {
      expect(() => count({ places }, 'places')).toThrow('as a whole number');
    }
  });

  it('read moments and write them back', () => {
    expect(momentIn({ at: '' }, 'at')).toBeNull();
    const iso = '2030-01-01T09:30:00Z';
    expect(momentIn({ at: local(iso) }, 'at')).toBe(iso);
    expect(local(null)).toBe('');
  });

  const schema = {
    required: ['config'],
    properties: {
      num_qubits: { type: 'integer', default: 5, description: 'qubits', minimum: 1 },
      coupling: { enum: ['line', 'ring'], default: 'line' },
      noise_model: { type: 'object' },
      deep: { type: 'boolean', default: false },
      config: { type: 'string' }
    }
  };

  it("have a field for each of an executor's options", () => {
    const fields = fieldsOf(schema, nullTranslator.load('x'));
    expect(fields.map(({ label, hint }) => [label, hint])).toEqual([
      ['num_qubits', 'Qubits. Default: 5'],
      ['coupling', 'Default: line'],
      ['noise_model', 'Written as JSON.'],
      ['deep', 'Default: false'],
      ['config', '']
    ]);
    expect(fields[1]?.choices?.map(one => one.value)).toEqual(['', 'line', 'ring']);
    expect(fields.map(({ kind }) => kind)).toEqual([
      'number',
      'choice',
      undefined,
      'choice',
      undefined
    ]);
    expect(fields[0]).toMatchObject({ whole: true, least: 1 });
    expect(fields.map(field => field.required)).toEqual([false, false, false, false, true]);
  });

  it('make a simulator of what was filled in', () => {
    const values = {
      name: 'small',
      executor: 'mock',
      places: '2',
      qpu: '',
      'option num_qubits': '3',
      'option coupling': 'ring',
      'option noise_model': '{"readout": 0.02}',
      'option deep': 'true',
      'option config': '5',
      'option gone': 'of another executor'
    };
    const options = {
      num_qubits: 3,
      coupling: 'ring',
      noise_model: { readout: 0.02 },
      deep: true,
      config: '5'
    };
    const made = { name: 'small', executor: 'mock', places: 2, options, description: '' };
    expect(simulatorOf(values, schema)).toEqual(made);
    expect(simulatorOf({ ...values, qpu: 'chip' }, schema).qpu).toBe('chip');
    const wrong = { ...values, 'option num_qubits': 'three' };
    expect(() => simulatorOf(wrong, schema)).toThrow('as num_qubits: enter a whole number.');
    expect(optionLines({ a: 'b', c: [1] })).toBe('a = b\nc = [1]');
  });

  it('make a notice for everybody', () => {
    expect(noticeOf({ title: ' Helium ' })).toEqual({
      title: 'Helium',
      body: '',
      people: [],
      groups: [],
      start_at: null,
      end_at: null
    });
  });

  it('answer a request with another amount, if one is given', () => {
    expect(answerOf('approved', { seconds: '30 min', reason: 'half' })).toEqual({
      status: 'approved',
      reason: 'half',
      seconds: 1800
    });
    expect(answerOf('approved', {})).toEqual({ status: 'approved', reason: '' });
    expect(answerOf('rejected', { seconds: '1 h' })).toEqual({ status: 'rejected', reason: '' });
  });

  it('send only what was touched, so that nobody undoes what another did', () => {
    const before = { display_name: 'Ann', groups: 'a', 'role-user': true };
    const touched = touchedOf(before, { ...before, groups: 'a b', 'role-admin': true, email: '' });
    expect([...touched].sort()).toEqual(['groups', 'role-admin']);
    const body = { display_name: 'Ann', groups: ['a', 'b'], roles: ['user', 'admin'] };
    expect(touchedPart(body, touched)).toEqual({ groups: ['a', 'b'], roles: ['user', 'admin'] });
    expect(touchedPart(body, touchedOf(before, before))).toEqual({});
  });

  it.each(['', ' ', 'two words', '-dash', '<b>', 'ä'])('take no “%s” for a name', name => {
    expect(() => nameIn({ name }, 'name')).toThrow('is not a valid name');
  });

  it('take an address for the name of a person', () => {
    expect(nameIn({ name: 'ann@lab.example' }, 'name', true)).toBe('ann@lab.example');
    expect(() => nameIn({ name: 'ann@lab.example' }, 'name')).toThrow('is not a valid name');
  });

  it('take no short password', () => {
    expect(passwordIn({ password: '' })).toBeNull();
    expect(passwordIn({ password: ' 234567890' })).toBe(' 234567890');
    expect(() => passwordIn({ password: '123456789' })).toThrow('10 characters');
  });

  it('grant and take back more than nothing', () => {
    expect(amount('5 min')).toBe(300);
    for (const written of ['0', '-5 min', '0 h']) {
      expect(() => amount(written)).toThrow('more than 0');
    }
  });

  it('send roles only where one may grant them', () => {
    const values = { 'role-manager': true, groups: 'spin' };
    expect(userChangeOf(values, true).roles).toEqual(['manager']);
    expect(userChangeOf(values, false)).not.toHaveProperty('roles');
  });

  it('keep a booking rule as it was', () => {
    const rule = {
      longest_s: 7200,
      max_ahead: 0,
      modes: ['priority'] as const,
      quiet: [{ start: '22:00', end: '06:00', days: [5, 6], timezone: 'Europe/Berlin' }]
    };
    expect(ruleOf({ ...ruleValues(rule), qpu: 'sim-a', group: '' })).toEqual({
      rule,
      qpu: 'sim-a',
      group: null
    });
    expect(ruleOf(ruleValues({}))).toEqual({ rule: { quiet: [] }, qpu: null, group: null });
  });

  it('read quiet hours with and without days', () => {
    expect(quietHours('22:00-06:00\n12:00 – 13:00 0,1')).toEqual([
      { start: '22:00', end: '06:00' },
      { start: '12:00', end: '13:00', days: [0, 1] }
    ]);
    expect(quietLines(quietHours('22:00-06:00 5,6 Europe/Berlin'))).toBe(
      '22:00-06:00 5,6 Europe/Berlin'
    );
    expect(() => quietHours('at night')).toThrow('cannot be read as quiet hours');
  });
});
