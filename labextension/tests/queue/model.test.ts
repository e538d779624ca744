import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Bin, GRACE } from '../../src/queue/bin';
import { belongs, EVERYTHING_OF_MINE } from '../../src/queue/filters';
import type { ITableView } from '../../src/queue/kept';
import { MOST_NEW, PAGE, QueueModel } from '../../src/queue/model';
import type { JobModel } from '../../src/wire';
import { event, job } from '../faults';
import { numbered, QueueLab } from './lab';

describe('QueueModel', () => {
  let lab: QueueLab;
  let bin: Bin;
  let model: QueueModel;

  beforeEach(() => {
    vi.useFakeTimers();
  });

  afterEach(() => {
    model.dispose();
    vi.useRealTimers();
  });

  async function opened(count: number): Promise<void> {
    lab = new QueueLab(count);
    bin = new Bin(lab.request);
    model = new QueueModel(lab.manager, bin);
    await model.reload();
    await settled();
  }

  async function settled(): Promise<void> {
    await vi.advanceTimersByTimeAsync(1_000);
  }

  function lists(): string[] {
    return lab.asked.filter(line => line.startsWith('GET jobs?'));
  }

  function ids(): string[] {
    return Array.from({ length: model.length }, (_, index) => model.at(index)?.id ?? '');
  }

  it('fetches the pages that are scrolled to, and no more', async () => {
    await opened(5 * PAGE);
    const before = lists().length;
    expect(model.length).toBeLessThan(5 * PAGE);
    expect(model.total).toBe(5 * PAGE);
    model.look(0, 30);
    await settled();
    expect(lists()).toHaveLength(before);
    model.look(model.length - 30, model.length - 1);
    await settled();
    expect(lists().length).toBeGreaterThan(before);
    model.look(model.length - 30, model.length - 1);
    await settled();
    expect(ids()).toEqual(lab.jobs.map(job => job.id));
    expect(model.complete).toBe(true);
  });

  it('puts a new job on top, once', async () => {
    await opened(3);
    lab.jobs.unshift(numbered(4));
    const data = { owner: 'ada', status: 'pending' };
    lab.say({ seq: 1, kind: 'job.submitted', job_id: 'j4', data });
    lab.say({ seq: 2, kind: 'job.submitted', job_id: 'j4', data });
    await settled();
    expect(ids()).toEqual(['j4', 'j3', 'j2', 'j1']);
    expect(model.total).toBe(4);
  });

  it("leaves others' new jobs out of one's own", async () => {
    await opened(1);
    lab.jobs.unshift(numbered(2, { owner: 'bob' }));
    lab.say({ seq: 1, kind: 'job.submitted', job_id: 'j2', data: { owner: 'bob' } });
    await settled();
    expect(ids()).toEqual(['j1']);
    expect(lab.asked).not.toContain('GET jobs/j2');
  });

  it('shows what an event says before the lab is asked again', async () => {
    await opened(3);
    const others = [model.at(0), model.at(2)];
    lab.say({ seq: 1, job_id: 'j2', data: { status: 'running', phase: 'running', version: 2 } });
    expect(model.at(1)?.phase).toBe('running');
    expect([model.at(0), model.at(2)]).toEqual(others);
    expect(model.at(0)).toBe(others[0]);
  });

  it('does not go back to what an older event says', async () => {
    await opened(1);
    lab.say({
      seq: 2,
      job_id: 'j1',
      data: { status: 'completed', phase: 'completed', version: 5 }
    });
    lab.say({ seq: 1, job_id: 'j1', data: { status: 'running', phase: 'running', version: 4 } });
    expect(model.at(0)?.phase).toBe('completed');
  });

  it('shows what an event said while a job, or its page, was asked for', async () => {
    await opened(1);
    lab.latency = 200;
    const ended = { status: 'completed' as const, phase: 'completed' as const };
    lab.jobs.unshift(numbered(2, { status: 'running', version: 2 }));
    lab.say({ seq: 1, kind: 'job.submitted', job_id: 'j2' });
    await vi.advanceTimersByTimeAsync(100); // asked, not answered
    expect(model.indexOf('j2')).toBe(-1);
    lab.jobs[0] = numbered(2, { ...ended, version: 3 });
    lab.say({ seq: 2, kind: 'job.changed', job_id: 'j2' });
    await settled();
    expect(model.at(0)).toMatchObject({ id: 'j2', status: 'completed' });
    lab.jobs.unshift(numbered(3, { status: 'running', version: 2 }), numbered(4));
    const page = model.reload();
    lab.jobs = lab.jobs.filter(({ id }) => id !== 'j4');
    lab.jobs[0] = numbered(3, { ...ended, version: 3 });
    lab.say({ seq: 3, kind: 'job.changed', job_id: 'j3' });
    lab.say({ seq: 4, kind: 'job.deleted', job_id: 'j4' });
    await settled();
    await page;
    expect(ids()).toEqual(['j3', 'j2', 'j1']);
    expect(model.at(0)).toMatchObject({ status: 'completed' });
  });

  it('asks again only for the jobs in view', async () => {
    await opened(100);
    model.look(0, 10);
    lab.say({ seq: 1, job_id: 'j100', data: { phase: 'running', version: 2 } });
    lab.say({ seq: 2, job_id: 'j1', data: { phase: 'running', version: 2 } });
    await settled();
    expect(lab.asked).toContain('GET jobs/j100');
    expect(lab.asked).not.toContain('GET jobs/j1');
  });

  it('takes out what the filter no longer fits, and what was deleted', async () => {
    await opened(3);
    await model.filter({ status: 'pending' });
    const data = { status: 'completed', phase: 'completed', version: 2, owner: 'ada' };
    lab.say({ seq: 1, job_id: 'j2', data });
    lab.say({ seq: 2, kind: 'job.deleted', job_id: 'j3' });
    expect(ids()).toEqual(['j1']);
  });

  it('lets a job in that has come to fit the filter, in its place', async () => {
    await opened(3);
    await model.filter({ status: 'running' });
    for (const [seq, n] of [1, 3, 2].entries()) {
      const index = lab.jobs.findIndex(job => job.id === `j${n}`);
      lab.jobs[index] = numbered(n, { status: 'running', phase: 'running', version: 2 });
      const data = { status: 'running', phase: 'running', version: 2, owner: 'ada' };
      lab.say({ seq: seq + 1, job_id: `j${n}`, data });
    }
    await settled();
    expect(ids()).toEqual(['j3', 'j2', 'j1']);
  });

  it('fills a gap with what was missed', async () => {
    await opened(2);
    lab.say({ seq: 1, kind: 'qpu.changed' });
    const data = { status: 'failed', phase: 'failed', version: 9 };
    lab.missed = [lab.event({ seq: 2, job_id: 'j1', data })];
    lab.say({ seq: 3, prev: 2, kind: 'qpu.changed' });
    await settled();
    expect(lab.asked).toContain('GET events?after=1&limit=500');
    expect(model.at(1)?.status).toBe('failed');
  });

  it('asks for everything anew after too long a gap', async () => {
    await opened(2);
    lab.say({ seq: 1, kind: 'qpu.changed' });
    lab.missed = Array.from({ length: 500 }, () => event({ seq: 2, prev: 1, kind: 'qpu.changed' }));
    lab.jobs.unshift(numbered(3));
    lab.say({ seq: 900, prev: 899, kind: 'qpu.changed' });
    await settled();
    expect(ids()).toEqual(['j3', 'j2', 'j1']);
  });

  it.each([
    ['some', [event({ seq: 8, prev: 0, kind: 'qpu.changed' })]],
    ['all', []]
  ])('asks for everything anew where the lab has pruned %s of the gap', async (_, missed) => {
    await opened(2);
    lab.say({ seq: 5, kind: 'qpu.changed' });
    lab.missed = missed;
    lab.jobs.unshift(numbered(3));
    await lab.back();
    await settled();
    lab.missed = [];
    lab.say({ seq: 9, prev: 0, kind: 'qpu.changed' });
    await settled();
    expect(ids()).toEqual(['j3', 'j2', 'j1']);
  });

  it('asks what it missed when the lab is back', async () => {
    await opened(1);
    lab.say({ seq: 7, kind: 'qpu.changed' });
    await lab.back();
    await settled();
    expect(lab.asked).toContain('GET events?after=7&limit=500');
  });

  it('searches one text as the lab does, in everything that a job is known by', () => {
    const one = job({
      id: 'job-0123456789abcdef',
      name: 'Rabi q3',
      tags: ['night'],
      owner: 'ann',
      qpu: 'sim-a',
      project: 'readout'
    });
    const found = (text: string) => belongs(one, { ...EVERYTHING_OF_MINE, text }, undefined);
    for (const text of ['rabi', 'SIM-A ann', 'night readout', '0123', one.id, ` ${one.id} q3 `]) {
      expect(found(text), text).toBe(true);
    }
    for (const text of ['rabi bob', 'sim-b', 'job-0123456789abcdee', 'Rabi,q3']) {
      expect(found(text), text).toBe(false);
    }
  });

  it('says why there is no page, and goes on when asked to', async () => {
    await opened(1);
    lab.refusal = 'The lab is closed.';
    await model.filter({ text: 'job' });
    expect(model.problem).toBe('The lab is closed.');
    expect(model.length).toBe(0);
    lab.refusal = null;
    await model.retry();
    expect([model.problem, model.length]).toEqual([null, 1]);
  });

  it('forgets the answer to a filter that is not asked for any more', async () => {
    await opened(3);
    const [first, second] = [model.filter({ text: 'job 1' }), model.filter({ text: 'job 2' })];
    await Promise.all([first, second]);
    expect(ids()).toEqual(['j2']);
  });

  it('deletes a job after a while, unless that is undone', async () => {
    await opened(2);
    const gone = bin.put('j1');
    const kept = bin.put('j2');
    expect(ids()).toEqual([]);
    bin.undo('j2');
    await kept;
    await settled();
    expect(ids()).toEqual(['j2']);
    expect(lab.asked).not.toContain('DELETE jobs/j1');
    await vi.advanceTimersByTimeAsync(GRACE);
    await gone;
    expect(lab.asked).toContain('DELETE jobs/j1');
    expect(lab.jobs.map(job => job.id)).toEqual(['j2']);
  });

  it('is sorted by the lab, over its pages', async () => {
    await opened(3 * PAGE);
    await model.sort({ by: 'name', descending: false });
    model.look(model.length - 1, model.length - 1);
    await settled();
    expect(lists().at(-1)).toContain('sort=name&descending=false');
    expect(ids().slice(0, 4)).toEqual(['j1', 'j10', 'j100', 'j101']);
  });

  it('puts a new job where the order has it, and moves one that has changed', async () => {
    await opened(3);
    await model.sort({ by: 'state', descending: false });
    expect(ids()).toEqual(['j3', 'j2', 'j1']);
    const ended = { status: 'completed', phase: 'completed', version: 2, owner: 'ada' };
    lab.say({ seq: 1, job_id: 'j3', data: ended });
    expect(ids()).toEqual(['j2', 'j1', 'j3']);
    lab.jobs.unshift(numbered(4));
    lab.say({ seq: 2, kind: 'job.submitted', job_id: 'j4', data: { owner: 'ada' } });
    await settled();
    expect(ids()).toEqual(['j4', 'j2', 'j1', 'j3']);
    expect(model.total).toBe(4);
  });

  it('keeps up with thirty jobs a second, asks little, and keeps no more than it may show', async () => {
    await opened(2_000);
    lab.latency = 40;
    model.look(0, 30);
    let [seq, newest] = [0, 2_000];
    const tell = (n: number, phase: JobModel['phase'], version: number) => {
      const status = phase === 'queued' ? 'pending' : phase === 'running' ? 'running' : 'completed';
      const index = lab.jobs.findIndex(({ id }) => id === `j${n}`);
      lab.jobs[index] = numbered(n, { phase, status, version });
      seq += 1;
      lab.say({ seq, kind: version === 1 ? 'job.submitted' : 'job.changed', job_id: `j${n}` });
    };
    for (let second = 1; second <= 60; second += 1) {
      const before = [newest, lab.asked.length];
      for (let n = 0; n < 30; n += 1) {
        newest += 1;
        lab.jobs.unshift(numbered(newest));
        tell(newest, 'queued', 1);
        tell(newest - 10, 'running', 2);
        tell(newest - 20, 'completed', 3);
        await vi.advanceTimersByTimeAsync(1_000 / 30);
      }
      const [seen = 0, asked = 0] = before;
      const rows = ids();
      expect(rows.indexOf(`j${seen}`)).toBeGreaterThanOrEqual(0);
      expect(rows.indexOf(`j${seen}`)).toBeLessThan(40);
      expect(lab.asked.length - asked).toBeLessThan(12);
      expect(model.length).toBeLessThan(MOST_NEW + 4 * PAGE);
    }
    await settled();
    expect(ids().slice(0, 3)).toEqual([newest, newest - 1, newest - 2].map(n => `j${n}`));
    expect(model.total).toBe(newest);
  });

  it('keeps few of the jobs that come while one reads further down, and shows them on the way back', async () => {
    await opened(1_000);
    model.look(0, 0);
    model.look(500, 530);
    await settled();
    const reading = model.at(500)?.id ?? '';
    for (let n = 1_001; n <= 1_000 + 3 * MOST_NEW; n += 1) {
      lab.jobs.unshift(numbered(n));
      lab.say({ seq: n, kind: 'job.submitted', job_id: `j${n}` });
      if (n % 20 === 0) {
        await settled();
        const row = model.indexOf(reading);
        model.look(row, row + 30);
      }
    }
    await settled();
    expect(model.length).toBeLessThan(1_000 + MOST_NEW + PAGE);
    expect(model.total).toBe(1_000 + 3 * MOST_NEW);
    model.look(0, 30);
    await settled();
    expect(model.at(0)?.id).toBe(`j${1_000 + 3 * MOST_NEW}`);
    expect(model.length).toBeLessThan(4 * PAGE);
  });

  it('says what is to be kept of the view', async () => {
    await opened(1);
    const kept: ITableView[] = [];
    model.viewChanged.connect((_, view) => kept.push(view));
    await model.filter({ tags: ['a'] });
    await model.sort({ by: 'shots', descending: true });
    expect(kept.at(-1)).toMatchObject({
      filters: { tags: ['a'] },
      order: { by: 'shots', descending: true }
    });
  });
});
