import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';

import {
  byPerson,
  changesOf,
  comparison,
  csvOf,
  draftOf,
  figureOf,
  nameOf,
  replayOf
} from '../src/admin/policies';
import type { Policy, ReplayResult, Waits } from '../src/wire';

const trans = nullTranslator.load('qpi-jupyter');
const NOW = Date.parse('2030-02-01T00:00:00Z');
const IN_FORCE: Policy = {
  idle_threshold_s: 5,
  backfill_max_s: 30,
  fair_share: false,
  fair_share_window_s: 86_400
};

const waits = (mean: number | null, jobs = 4): Waits => ({
  jobs,
  mean_s: mean,
  p50_s: mean,
  p95_s: mean
});

const result = (name: string, mean: number, changes: Partial<ReplayResult> = {}): ReplayResult => ({
  name,
  policy: IN_FORCE,
  jobs: 4,
  never_ran: 0,
  waits: { everybody: waits(mean), light: waits(null, 0), 'priority 5': waits(1) },
  people: { ann: waits(mean, 3), bob: waits(7, 1) },
  utilisation: { q1: 0.5 },
  fairness: { waits: 0.9, served: 0.8 },
  bookings: { total: 2, kept: 2, no_show: 1, latest_s: 0 },
  estimates: { outlasted: 0, within: 1 },
  ...changes
});

const rowOf = (id: string, results: readonly ReplayResult[]) =>
  comparison(results, trans)
    .flatMap(({ rows }) => rows)
    .find(row => row.id === id);

describe('a policy to try', () => {
  it('starts as the one in force, with fair share the other way round', () => {
    const draft = draftOf(1, IN_FORCE);
    expect(changesOf(draft, IN_FORCE)).toEqual({ fair_share: true });
    const off = { ...IN_FORCE, fair_share: true };
    expect(changesOf(draftOf(1, off), off)).toEqual({ fair_share: false });
  });

  it('is called by what it changes', () => {
    const draft = { ...draftOf(1, IN_FORCE), backfill_max_s: '2 min', idle_threshold_s: '5' };
    expect(nameOf(changesOf(draft, IN_FORCE), trans)).toBe('fair share, backfill up to 2 min');
    expect(nameOf({}, trans)).toBe('as in force');
  });

  it.each(['', 'soon', '5 weeks'])('takes no %s for a time', backfill_max_s => {
    expect(() => changesOf({ ...draftOf(1, IN_FORCE), backfill_max_s }, IN_FORCE)).toThrow(
      'as a length of time'
    );
  });
});

describe('what the lab is asked', () => {
  const days = { kind: 'days', days: 30 } as const;

  it('is the policy in force and the others, over the last days', () => {
    expect(replayOf(days, [draftOf(1, IN_FORCE)], IN_FORCE, NOW, trans)).toEqual({
      policies: [{ name: 'as in force' }, { name: 'fair share', fair_share: true }],
      start_at: '2030-01-02T00:00:00.000Z'
    });
  });

  it('is an invented month where there is no past', () => {
    expect(replayOf({ kind: 'invented' }, [], IN_FORCE, NOW, trans)).toEqual({
      policies: [{ name: 'as in force' }],
      seed: 1
    });
  });

  it('is refused where two policies are the same', () => {
    const [one, two] = [draftOf(1, IN_FORCE), draftOf(2, IN_FORCE)];
    expect(() => replayOf(days, [one, two], IN_FORCE, NOW, trans)).toThrow(
      'Two policies are the same (fair share)'
    );
    const same = { ...one, fair_share: false };
    expect(() => replayOf(days, [same], IN_FORCE, NOW, trans)).toThrow('(as in force)');
  });

  it.each([
    ['', ''],
    ['2030-01-10T00:00', '2030-01-09T00:00'],
    ['2031-01-01T00:00', '2031-01-02T00:00']
  ])('is refused from %s to %s', (start, end) => {
    expect(() => replayOf({ kind: 'between', start, end }, [], IN_FORCE, NOW, trans)).toThrow(
      'a beginning in the past'
    );
  });
});

describe('the comparison', () => {
  it('marks the best of each row, and none where all look alike', () => {
    const results = [result('a', 60), result('b', 30), result('c', 30.01)];
    const row = rowOf('waits-everybody-mean_s', results);
    expect(row?.best).toEqual([false, true, true]);
    expect(row?.bars).toEqual([1, 0.5, 30.01 / 60]);
    expect(rowOf('fairness-waits', results)?.best).toEqual([false, false, false]);
  });

  it('takes more for better where it is, and says nothing where neither is', () => {
    const results = [
      result('a', 1, { utilisation: { q1: 0.4 } }),
      result('b', 1, { bookings: { total: 2, kept: 1, no_show: 0, latest_s: 9 } })
    ];
    expect(rowOf('utilisation-q1', results)?.best).toEqual([false, true]);
    expect(rowOf('bookings-kept', results)?.best).toEqual([true, false]);
    expect(rowOf('bookings-late', results)?.best).toEqual([true, false]);
    expect(rowOf('bookings-unused', results)?.best).toEqual([false, false]);
  });

  it('leaves out whom there is none of', () => {
    const titles = comparison([result('a', 1)], trans).map(({ title }) => title);
    expect(titles).toContain('Waiting: priority 5');
    expect(titles).not.toContain('Waiting: light users');
    expect(comparison([result('a', 1)], trans)[0]?.text).toMatch(/ 4 jobs\.$/);
  });

  it('names the people by how much they asked for', () => {
    const rows = byPerson([result('a', 60), result('b', 30)]);
    expect(rows.map(({ name, jobs }) => [name, jobs])).toEqual([
      ['ann', 3],
      ['bob', 1]
    ]);
    expect(rows[0]?.row.best).toEqual([false, true]);
  });

  it('is short to read', () => {
    expect([
      figureOf(7200, 'duration'),
      figureOf(120, 'duration'),
      figureOf(5, 'duration')
    ]).toEqual(['2.0 h', '2.0 min', '5.0 s']);
    expect([figureOf(0.5, 'share'), figureOf(0.9, 'index'), figureOf(null, 'count')]).toEqual([
      '50.0 %',
      '0.900',
      '–'
    ]);
  });

  it('goes into a spreadsheet, which runs nothing of it', () => {
    const csv = csvOf([result('=1+1', 60), result('a "b", c', 30)], trans).split('\r\n');
    expect(csv[0]).toBe(`,,unit,'=1+1,"a ""b"", c"`);
    expect(csv[1]).toBe('Waiting: everybody,mean,s,60,30');
  });
});
