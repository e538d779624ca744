import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { drawnOf } from '../src/outputs/drawn';
import { Follower, type IFollowing } from '../src/outputs/follower';
import { readOutput } from '../src/outputs/schema';
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

describe('what a notebook holds of a job', () => {
  const output = (id: string) => ({
    v: 1,
    job: { id, submitted_at: '2030-01-31T09:00:00Z', status: 'pending', phase: 'queued' }
  });

  it.each(['job-1\n', '../me', 'j'.repeat(201), '\u{1F600}', ''])(
    'is none with an id that no lab gives: %j',
    id => {
      expect(readOutput(output(id))).toBeNull();
    }
  );

  it('is one with an id that a lab gives', () => {
    expect(readOutput(output('job-5f0c0fd0a1a94a1b'))?.job.id).toBe('job-5f0c0fd0a1a94a1b');
  });
});

describe('what an output draws of results', () => {
  const result = (more: object) => ({
    kind: 'counts',
    meas_level: 2,
    meas_return: 'single',
    truncated: false,
    data: { counts: { '0x0': 1, '0x3': 3 } },
    header: { memory_slots: 2 },
    ...more
  });

  it('is one curve for all rows of a sweep', () => {
    const curve = { draw: 'lines', label: '' };
    const rows = [0, 1, 2].map(row => result({ row, ...(row === 0 ? { drawings: [curve] } : {}) }));
    expect(drawnOf(rows)).toEqual({ drawings: [curve], total: 1 });
  });

  it('is named after its circuit where there are several, by number where names repeat', () => {
    const labels = (...names: string[]) =>
      drawnOf(names.map(name => result({ header: { memory_slots: 2, name } }))).drawings.map(
        ({ label }) => label
      );
    expect(labels('rabi')).toEqual(['']);
    expect(labels('rabi', 'echo')).toEqual(['rabi', 'echo']);
    expect(labels('rabi', 'rabi', '')).toEqual(['Circuit 0', 'Circuit 1', 'Circuit 2']);
  });

  it('are the points of each qubit, and a word about what nobody can draw', () => {
    const memory = [
      [
        [0, 1],
        [2, 3]
      ]
    ];
    const points = result({ kind: 'points', meas_level: 1, data: { memory } });
    expect(drawnOf([points]).drawings.map(({ draw, label }) => [draw, label])).toEqual([
      ['iq', 'Classical bit 0'],
      ['iq', 'Classical bit 1']
    ]);
    expect(drawnOf([result({ kind: 'rays', data: {} })]).drawings[0]).toMatchObject({
      draw: 'note',
      text: 'This result (rays) is drawn where its job is opened.'
    });
  });
});
