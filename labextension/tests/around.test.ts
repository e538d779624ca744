import { nullTranslator } from '@jupyterlab/translation';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { EVERY, type INews, LONG, News, TOGETHER } from '../src/around/news';
import { Notifier } from '../src/around/notifier';
import { DEFAULTS, LabSettings } from '../src/around/settings';
import { formatOf, submission } from '../src/around/submission';
import { watchClock } from '../src/around/zone';
import { LabManager } from '../src/manager';
import type { LabRequest } from '../src/request';
import { logoAddress } from '../src/side/model';
import type { JobModel } from '../src/wire';
import { booking, FakeBus, FakeLab, job, me } from './faults';

describe('News', () => {
  const BEGAN = Date.parse('2026-01-01T10:00:00Z');
  let shown: Map<string, INews>;
  let told: number;
  let seen: Set<string>;
  let news: News;

  beforeEach(() => {
    vi.useFakeTimers({ now: BEGAN });
    shown = new Map();
    told = 0;
    seen = new Set();
    news = new News({
      trans: nullTranslator.load(''),
      now: () => Date.now(),
      inSight: async id => seen.has(id),
      tell: (said, known) => {
        told += 1;
        const id = known ?? `news ${told}`;
        shown.set(id, said);
        return id;
      },
      stands: id => shown.has(id)
    });
  });

  afterEach(() => vi.useRealTimers());

  const end = async (changes: Partial<JobModel>) => {
    const ended = { status: 'completed', phase: 'completed', name: '' } as const;
    await news.add(job({ ...ended, submitted_at: new Date(Date.now()).toISOString(), ...changes }));
  };
  const messages = () => [...shown.values()].map(({ type, message }) => `${type}: ${message}`);

  it('is one piece for a busy loop of short jobs, told once a second', async () => {
    for (let number = 0; number < 3000; number += 1) {
      await end({ id: `job-${number}` });
      await vi.advanceTimersByTimeAsync(20);
    }
    await vi.advanceTimersByTimeAsync(EVERY);
    expect(messages()).toEqual(['success: Jobs: 3,000 completed.']);
    expect(told).toBeLessThanOrEqual(62); // a minute
  });

  it('says why the latest of several failed', async () => {
    const error = { kind: 'Faulted', code: 'mixer', message: 'The mixer is cold.', data: {} };
    await end({ id: 'a' });
    await end({ id: 'b', name: 'rabi', status: 'failed', error });
    await end({ id: 'c', status: 'cancelled' });
    await vi.advanceTimersByTimeAsync(EVERY);
    expect(messages()).toEqual([
      'error: Jobs: 1 completed, 1 failed, 1 cancelled. Latest: rabi failed: The mixer is cold.'
    ]);
  });

  it('leaves out a short job that somebody sees, and no long one', async () => {
    seen.add('a').add('b');
    await end({ id: 'a' });
    const long = new Date(BEGAN - LONG - 1).toISOString();
    await end({ id: 'b', name: 'long', submitted_at: long });
    await vi.advanceTimersByTimeAsync(EVERY);
    expect(messages()).toEqual(['success: long has completed.']);
  });

  it('begins anew after a while, and once what was told is dismissed', async () => {
    await end({ id: 'a', name: 'a' });
    await vi.advanceTimersByTimeAsync(TOGETHER + 2 * EVERY);
    await end({ id: 'b', name: 'b' });
    await vi.advanceTimersByTimeAsync(EVERY);
    expect(messages()).toEqual(['success: a has completed.', 'success: b has completed.']);
    shown.clear();
    await end({ id: 'c', name: 'c' });
    await vi.advanceTimersByTimeAsync(EVERY);
    expect(messages()).toEqual(['success: c has completed.']);
  });
});

describe('Notifier', () => {
  let lab: FakeLab;
  let manager: LabManager;
  let told: string[];
  let notifier: Notifier;

  beforeEach(async () => {
    vi.useFakeTimers({ now: Date.parse('2026-01-01T09:59:00Z') });
    lab = new FakeLab();
    lab.jobs = [job({ id: 'old', status: 'completed', phase: 'completed' }), job()];
    lab.bookings = [booking({ mine: true })];
    manager = new LabManager({
      request: lab.request,
      events: new FakeBus().stream,
      standby: 'never'
    });
    told = [];
    notifier = new Notifier(manager, {
      jobEnded: ended => told.push(`${ended.id} ${ended.status}`),
      bookingBegan: began => told.push(`${began.id} began`)
    });
    await vi.advanceTimersByTimeAsync(50);
  });

  afterEach(() => {
    notifier.dispose();
    manager.dispose();
    vi.useRealTimers();
  });

  const refetch = async () => {
    void manager.refresh();
    await vi.advanceTimersByTimeAsync(50);
  };

  it('tells once that a job ended, and nothing of those that had', async () => {
    expect(told).toEqual([]);
    lab.jobs = [job({ status: 'failed', phase: 'failed', version: 2 })];
    await refetch();
    await refetch();
    expect(told).toEqual(['j1 failed']);
  });

  it('tells of a job that began and ended since it looked, and not of one that was submitted before', async () => {
    const ended = { status: 'completed', phase: 'completed' } as const;
    const before = job({ id: 'before', ...ended, submitted_at: '2025-12-31T00:00:00Z' });
    const quick = job({ id: 'quick', ...ended, submitted_at: '2026-01-01T10:00:00Z' });
    lab.jobs = [quick, before, job()];
    await refetch();
    await refetch();
    expect(told).toEqual(['quick completed']);
  });

  it('tells of what came and ended between the first answer and its own beginning', async () => {
    const first = manager.state;
    const ended = { status: 'completed', phase: 'completed' } as const;
    lab.jobs = [job({ id: 'quick', ...ended, submitted_at: '2026-01-01T10:00:00Z' }), job()];
    await refetch();
    const later: string[] = [];
    const jobEnded = ({ id }: JobModel) => later.push(id);
    new Notifier(manager, { jobEnded, bookingBegan: () => undefined }, first).dispose();
    expect(later).toEqual(['quick']);
  });

  it('tells of the first of a family that ends, not of all that end with it', async () => {
    const [failed, cancelled] = ['failed', 'cancelled'] as const;
    const ends = (id: string, status: typeof cancelled | typeof failed, code: string) =>
      job({ id, status, phase: status, error: { kind: '', code, message: '', data: {} } });
    lab.jobs = ['a', 'b', 'c', 'd'].map(id => job({ id }));
    await refetch();
    lab.jobs = [
      ends('a', failed, 'bad_program'),
      ends('b', failed, 'dependency_failed'),
      ends('c', cancelled, 'cancelled_with'),
      job({ id: 'd', status: cancelled, phase: cancelled })
    ];
    await refetch();
    expect(told).toEqual(['a failed', 'd cancelled']);
  });

  it('tells when a booking begins, to the moment', async () => {
    await vi.advanceTimersByTimeAsync(59_000);
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(told).toEqual(['b1 began']);
    await refetch();
    expect(told).toEqual(['b1 began']);
  });

  it('does not tell of a booking that was deleted meanwhile', async () => {
    lab.bookings = [];
    await refetch();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(told).toEqual([]);
  });

  it('tells nothing of a booking that had begun before', async () => {
    vi.setSystemTime(Date.parse('2026-01-01T10:10:00Z'));
    lab.bookings = [booking({ id: 'b2', mine: true })];
    await refetch();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(told).not.toContain('b2 began');
  });
});

describe('a submitted file', () => {
  it.each([
    ['OPENQASM 2.0;\nqreg q[1];', 'openqasm2'],
    ['// OPENQASM 2.0 was yesterday\nOPENQASM 3.0;', 'openqasm3'],
    ['/* by\n ada */ OPENQASM 2;', 'openqasm2'],
    ['qubit q;', 'openqasm3']
  ])('says its version: %s', (source, format) => {
    expect(formatOf(source)).toBe(format);
  });

  it('is named by its file and goes where it was meant to go', () => {
    const body = submission('a/bell.qasm', 'OPENQASM 3;', { qpu: '', shots: 5 });
    expect(body).toEqual({
      program: { format: 'openqasm3', sources: ['OPENQASM 3;'] },
      options: { shots: 5 },
      qpu: null,
      name: 'bell'
    });
  });
});

describe('the clock', () => {
  const MINE = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  let lab: FakeLab;
  let told: string[];
  let manager: LabManager;
  let settings: LabSettings;

  beforeEach(() => {
    vi.useFakeTimers();
    lab = new FakeLab();
    told = [];
    const request: LabRequest = (path, init) => {
      if (path === 'me/timezone') {
        const { timezone } = JSON.parse(String(init?.body));
        lab.me = { ...me(), timezone };
        told.push(timezone);
      }
      return lab.request(path, init);
    };
    manager = new LabManager({ request, events: new FakeBus().stream, standby: 'never' });
    settings = new LabSettings();
    watchClock(manager, settings);
  });

  afterEach(() => {
    manager.dispose();
    vi.useRealTimers();
  });

  /** The lab answers that it knows this zone. */
  const knows = async (timezone: string | null) => {
    lab.me = { ...me(), timezone };
    void manager.refresh();
    await vi.advanceTimersByTimeAsync(50);
    await vi.dynamicImportSettled();
    await vi.advanceTimersByTimeAsync(50);
  };

  it('is told where the lab does not know it, and not where it does', async () => {
    await knows(MINE);
    await knows('Asia/Kathmandu'); // another browser's
    expect(told).toEqual([]);
    await knows(null); // the lab has started again
    expect(told).toEqual([MINE]);
  });

  it('is told where the lab knew another one', async () => {
    await knows('Asia/Kathmandu');
    expect(told).toEqual([MINE]);
  });

  it('is told once it is set', async () => {
    await knows(MINE);
    settings.replace({ timezone: 'Asia/Tokyo' });
    await knows(MINE);
    expect(told).toEqual(['Asia/Tokyo']);
  });
});

describe('settings', () => {
  it('are the defaults where nothing is set', () => {
    const settings = new LabSettings();
    settings.replace({ jobsShown: 3 });
    expect(settings.values).toEqual({ ...DEFAULTS, jobsShown: 3 });
  });

  it('take a picture, and no script, for a logo', () => {
    expect(logoAddress(' https://lab.example/logo.svg ')).toBe('https://lab.example/logo.svg');
    expect(logoAddress('javascript:alert(1)')).toBe('');
    expect(logoAddress('//elsewhere')).toBe('');
  });
});
