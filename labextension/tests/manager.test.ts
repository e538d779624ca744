import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { LabManager } from '../src/manager';
import { LabError } from '../src/request';
import { event, FakeBus, FakeLab, type ISaid, job, me, qpu } from './faults';

/** Waits for `promise` while the fake clock takes the step that it needs. */
async function done(promise: Promise<void>): Promise<void> {
  await vi.advanceTimersByTimeAsync(1);
  await promise;
}

describe('LabManager', () => {
  let bus: FakeBus;
  let lab: FakeLab;
  let manager: LabManager;
  let seq = 7;

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

  /** The next event without a gap before it. */
  function tell(kind: NonNullable<ISaid['kind']>, more: ISaid = {}): void {
    seq += 1;
    bus.say({ ...event({ seq, prev: seq - 1, kind, ...more }) });
  }

  /** Which of the lab's lists were asked for in `since`. */
  function lists(since: number): string[] {
    return lab.asked.slice(since).map(line => line.replace(/^GET (\w+).*$/, '$1'));
  }

  it('shows the lab as soon as it is there', () => {
    expect(new Set(lists(0))).toEqual(
      new Set(['me', 'accounts', 'qpus', 'jobs', 'bookings', 'notices'])
    );
    expect(manager.state).toMatchObject({
      connection: 'connected',
      problem: null,
      lastSeen: Date.now(),
      me: me(),
      qpus: [qpu()],
      jobs: []
    });
  });

  it('shows what an event says before it has asked', async () => {
    lab.jobs = [job()];
    await done(manager.refresh());
    const answer = lab.hold();
    tell('job.changed', {
      job_id: 'j1',
      data: { version: 2, status: 'running', phase: 'running', owner: 'ada' }
    });
    expect(manager.state.jobs[0]).toMatchObject({ version: 2, phase: 'running' });
    lab.jobs = [job({ version: 3, phase: 'running', status: 'running', progress: 0.5 })];
    answer();
    await vi.advanceTimersByTimeAsync(100);
  });

  it('takes no older answer over what an event said', async () => {
    lab.jobs = [job()];
    await done(manager.refresh());
    tell('job.changed', { job_id: 'j1', data: { version: 5, phase: 'cancelling', owner: 'ada' } });
    await done(manager.refresh());
    expect(manager.state.jobs[0]).toMatchObject({ version: 5, phase: 'cancelling' });
  });

  it.each<[NonNullable<ISaid['kind']>, object, string[]]>([
    ['qpu.changed', {}, ['qpus']],
    ['booking.changed', {}, ['bookings', 'bookings', 'qpus']],
    ['balance.changed', {}, ['accounts']],
    ['notice.changed', {}, ['notices']],
    ['job.submitted', { owner: 'ada', ledger: [] }, ['accounts', 'jobs', 'qpus']],
    ['job.changed', { owner: 'bob' }, ['qpus']],
    ['job.progress', { owner: 'ada' }, []],
    ['something.new', {}, []]
  ])('asks only for what %s of %o concerns', async (kind, data, topics) => {
    const since = lab.asked.length;
    tell(kind, { data });
    await vi.advanceTimersByTimeAsync(200);
    expect(lists(since).sort()).toEqual(topics);
  });

  it('asks little for a burst of events, and is right at its end', async () => {
    const before = lab.fetches;
    for (let i = 0; i < 200; i += 1) {
      tell('job.changed', { job_id: 'j1' });
      await vi.advanceTimersByTimeAsync(5);
    }
    lab.jobs = [job({ phase: 'running', status: 'running' })];
    tell('job.changed', { job_id: 'j1' });
    await vi.advanceTimersByTimeAsync(200);
    expect(lab.fetches - before).toBeLessThan(40);
    expect(manager.state.jobs[0]?.phase).toBe('running');
  });

  it('asks again for an event that comes while an answer is under way', async () => {
    const answer = lab.hold();
    tell('job.changed');
    await vi.advanceTimersByTimeAsync(200);
    const before = lab.fetches;
    lab.jobs = [job({ phase: 'running', status: 'running' })];
    tell('job.changed');
    await vi.advanceTimersByTimeAsync(200);
    expect(lab.fetches).toBe(before);
    answer();
    await vi.advanceTimersByTimeAsync(1000);
    expect(lab.fetches).toBe(before + 1);
    expect(manager.state.jobs[0]?.phase).toBe('running');
  });

  it('asks for everything after a gap, and tells its readers', async () => {
    const gaps: number[] = [];
    manager.follow({ heard: () => undefined, missed: () => gaps.push(seq) });
    tell('notice.changed');
    expect(gaps).toEqual([]);
    seq += 3; // these were lost
    const since = lab.asked.length;
    tell('notice.changed');
    await vi.advanceTimersByTimeAsync(200);
    expect(gaps).toEqual([seq]);
    expect(new Set(lists(since))).toContain('jobs');
    expect(new Set(lists(since))).toContain('bookings');
  });

  it('takes a lab that began anew for a gap', async () => {
    tell('notice.changed');
    const since = lab.asked.length;
    seq = 0;
    bus.say({ ...event({ seq: 1, prev: 0, kind: 'notice.changed' }) });
    seq = 1;
    await vi.advanceTimersByTimeAsync(200);
    expect(lists(since)).toContain('qpus');
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

  it('says that the connection is lost, why and since when, and keeps what it knew', async () => {
    const seen = manager.state.lastSeen;
    await vi.advanceTimersByTimeAsync(3000);
    lab.refusal = 'The lab is down for the night.';
    await done(manager.refresh());
    expect(manager.state).toMatchObject({
      connection: 'lost',
      problem: lab.refusal,
      lastSeen: seen
    });
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
    await vi.advanceTimersByTimeAsync(20);
    lab.refusal = 'no route';
    await done(manager.refresh());
    await vi.advanceTimersByTimeAsync(20);
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

  it.each([401, 403])(
    'says that it is shut out (%i), and asks one thing until it is not',
    async status => {
      lab.refusal = new LabError(
        new Response(null, { status }),
        'Sign in first.',
        'unauthorized',
        {}
      );
      await done(manager.refresh());
      expect(manager.state).toMatchObject({ connection: 'refused', problem: 'Sign in first.' });
      const before = lab.asked.length;
      await done(manager.refresh());
      expect(lists(before)).toEqual(['qpus']);
      lab.refusal = null;
      await done(manager.refresh());
      expect(manager.state).toMatchObject({ connection: 'connected', problem: null });
    }
  );

  it('does not flood a lab that refuses', async () => {
    lab.refusal = 'away';
    await done(manager.refresh());
    const before = lab.asked.length;
    await vi.advanceTimersByTimeAsync(60_000);
    // The pauses are random, none shorter than 10 s
    expect(lab.asked.length - before).toBeLessThanOrEqual(7);
  });
});
