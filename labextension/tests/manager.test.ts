import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { LabManager } from '../src/manager';
import { FakeBus, FakeLab, job, qpu } from './faults';

/** Waits for `promise` while the fake clock takes the step that it needs. */
async function done(promise: Promise<void>): Promise<void> {
  await vi.advanceTimersByTimeAsync(1);
  await promise;
}

describe('LabManager', () => {
  let bus: FakeBus;
  let lab: FakeLab;
  let manager: LabManager;

  beforeEach(async () => {
    vi.useFakeTimers();
    bus = new FakeBus();
    lab = new FakeLab();
    lab.qpus = [qpu()];
    manager = new LabManager({ request: lab.request, events: bus.stream, standby: 'never' });
    await vi.advanceTimersByTimeAsync(1);
  });

  afterEach(() => {
    manager.dispose();
    vi.useRealTimers();
  });

  it('shows the lab as soon as it is there', () => {
    expect(lab.asked).toEqual(['GET qpus', 'GET jobs?mine=true&limit=20']);
    expect(manager.state).toEqual({
      connection: 'connected',
      problem: null,
      qpus: [qpu()],
      jobs: []
    });
  });

  it('asks once for a burst of events', async () => {
    const before = lab.fetches;
    lab.jobs = [job({ phase: 'running', status: 'running' })];
    for (let seq = 0; seq < 50; seq += 1) {
      bus.say({ seq, kind: 'job.changed', job_id: 'j1' });
    }
    await vi.advanceTimersByTimeAsync(200);
    expect(lab.fetches).toBe(before + 1);
    expect(manager.state.jobs[0]?.phase).toBe('running');
  });

  it('asks again for an event that comes while an answer is under way', async () => {
    const answer = lab.hold();
    bus.say({ seq: 1 });
    await vi.advanceTimersByTimeAsync(200);
    const before = lab.fetches;
    bus.say({ seq: 2 });
    await vi.advanceTimersByTimeAsync(200);
    expect(lab.fetches).toBe(before);
    answer();
    await vi.advanceTimersByTimeAsync(10);
    expect(lab.fetches).toBe(before + 1);
  });

  it("does not ask for other people's events", async () => {
    const before = lab.fetches;
    bus.say({ seq: 1 }, 'https://events.jupyter.org/jupyter_server/contents_service/v1');
    await vi.advanceTimersByTimeAsync(1000);
    expect(lab.fetches).toBe(before);
  });

  it('asks again even where an event was lost', async () => {
    lab.jobs = [job({ phase: 'completed', status: 'completed' })];
    await vi.advanceTimersByTimeAsync(16_000);
    expect(manager.state.jobs[0]?.phase).toBe('completed');
  });

  it('says that the connection is lost, why, and keeps what it knew', async () => {
    lab.refusal = 'The lab is down for the night.';
    await done(manager.refresh());
    expect(manager.state).toMatchObject({ connection: 'lost', problem: lab.refusal });
    expect(manager.state.qpus).toEqual([qpu()]);
  });

  it('comes back by itself', async () => {
    lab.refusal = 'no route';
    await done(manager.refresh());
    lab.refusal = null;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(manager.state).toMatchObject({ connection: 'connected', problem: null });
  });

  it('tells its readers of each new state', async () => {
    const heard: string[] = [];
    manager.changed.connect((_, state) => heard.push(state.connection));
    await done(manager.refresh());
    lab.refusal = 'no route';
    await done(manager.refresh());
    expect(heard).toEqual(['connected', 'lost']);
  });

  it('cancels by the id and shows the outcome', async () => {
    lab.jobs = [job({ id: 'a/b', phase: 'cancelled', status: 'cancelled' })];
    await done(manager.cancel('a/b'));
    expect(lab.asked).toContain('POST jobs/a%2Fb/cancel');
    expect(manager.state.jobs[0]?.phase).toBe('cancelled');
  });

  it('hands on why a cancel was refused', async () => {
    lab.refusal = 'This job has ended.';
    await expect(manager.cancel('j1')).rejects.toThrow('This job has ended.');
  });

  it('is silent once disposed', async () => {
    const before = lab.fetches;
    manager.dispose();
    bus.say({ seq: 9 });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lab.fetches).toBe(before);
  });
});
