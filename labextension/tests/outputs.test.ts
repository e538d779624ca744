import { nullTranslator } from '@jupyterlab/translation';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { drawingsOf } from '../src/outputs/drawn';
import { Follower, type IFollowing } from '../src/outputs/follower';
import { plainOf } from '../src/outputs/plain';
import { numbered, QueueLab } from './queue/lab';

describe('Follower', () => {
  let lab: QueueLab;
  let following: IFollowing;

  beforeEach(() => {
    vi.useFakeTimers();
    lab = new QueueLab();
  });

  afterEach(() => {
    following.dispose();
    vi.useRealTimers();
  });

  async function opened(): Promise<void> {
    following = new Follower(lab.manager).follow('j1');
    following.watched = true;
    await settled();
  }

  async function settled(): Promise<void> {
    await vi.advanceTimersByTimeAsync(3_000);
  }

  it('draws the rows of a running job as they come, and forgets those of an attempt that died', async () => {
    lab.jobs = [numbered(1, { status: 'running', phase: 'running', attempt: 1 })];
    await opened();
    expect(lab.asked).not.toContain('GET jobs/j1/partial');
    lab.drawings = [{ draw: 'lines', label: 'two points' }];
    const first = { status: 'running', attempt: 1, version: 5, progress: 0.2, rows: 2 };
    lab.say({ seq: 1, kind: 'job.progress', job_id: 'j1', data: first });
    await settled();
    expect(following.live.growing).toEqual({ drawings: lab.drawings, total: 1 });
    lab.jobs = [numbered(1, { phase: 'queued', attempt: 1, version: 6 })];
    lab.say({ seq: 2, kind: 'job.changed', job_id: 'j1' });
    await settled();
    expect(following.live.growing).toBeNull();
  });

  it('asks once for all jobs of a page, and says which are not there', async () => {
    lab.jobs = [numbered(1)];
    const follower = new Follower(lab.manager);
    following = follower.follow('j1');
    const other = follower.follow('j2');
    await settled();
    expect(lab.asked).toEqual(['GET jobs?id=j1&id=j2&limit=100']);
    expect(following.live).toMatchObject({ job: { id: 'j1' }, gone: null });
    expect(other.live).toMatchObject({ job: null, gone: 'unknown' });
    other.dispose();
  });
});

describe('what an output draws of points', () => {
  const points = (bits: number, shots: number) => ({
    kind: 'points',
    meas_level: 1,
    meas_return: 'single',
    truncated: false,
    header: { memory_slots: bits },
    data: { memory: Array.from({ length: shots }, (_, n) => Array(bits).fill([n, -1.23456])) }
  });

  it('is an IQ plane for each bit, of points few enough to be saved', () => {
    const { drawings, total } = drawingsOf([], [points(2, 2000)]);
    expect(total).toBe(2);
    expect(drawings).toMatchObject([
      { draw: 'iq', label: 'Bit 0', total: 2000, averaged: false },
      { draw: 'iq', label: 'Bit 1' }
    ]);
    expect(drawings[0]?.i).toHaveLength(667);
    expect(drawings[0]?.q).toContain(-1.235);
  });

  it('is a word where the result had no room for them', () => {
    const cut = { ...points(1, 0), truncated: true };
    expect(drawingsOf([], [cut]).drawings).toMatchObject([{ draw: 'note' }]);
  });
});

describe('an output for wherever the panel is not', () => {
  const trans = nullTranslator.load('');

  function html(drawing: Record<string, unknown>): string {
    const output = { drawings: [{ label: '', ...drawing }], job: numbered(1), total: 1 };
    return plainOf(output as never, trans)['text/html'];
  }

  const texts = (found: string) => [...found.matchAll(/>([^<]*)<.text>/g)].map(([, text]) => text);

  it('has curves with their points, axes and units', () => {
    const lines = [
      { label: '<b>', y: [0, 0.5, 1] },
      { label: 'data', y: [1, null, 0], dots: true }
    ];
    const found = html({ draw: 'lines', x: [0, 1, 2], x_label: 'delay (us)', y_label: 'P', lines });
    expect(texts(found)).toEqual(expect.arrayContaining(['0', '1', '2', '0.5', 'delay (us)', 'P']));
    expect(found.match(/stroke-linecap/g)).toHaveLength(2);
    expect(found).toContain('&#60;b&#62;');
    expect(found).not.toContain('<b>');
  });

  it('has heat maps with a cell for each value that is there', () => {
    const z = [
      [0, null],
      [0.5, 1]
    ];
    const map = { draw: 'heat_map', x: [0, 1], y: [2, 4], z, x_label: 'freq', y_label: 'amp' };
    const found = html({ ...map, z_label: 'P' });
    expect(found.match(/fill="rgb/g)).toHaveLength(3);
    expect(texts(found)).toEqual(expect.arrayContaining(['freq', 'amp', '2', '4']));
    expect(found).toContain('1 P. ');
  });
});
