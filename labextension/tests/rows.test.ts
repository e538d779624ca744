import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';

import { jobRow, qpuRow } from '../src/rows';
import { job, qpu } from './faults';

const NOW = Date.parse('2026-01-01T10:00:00Z');
const trans = nullTranslator.load('qpi-jupyter');

describe('qpuRow', () => {
  it('says what the QPU is and does', () => {
    expect(qpuRow(qpu({ queued: 3 }), NOW, trans)).toEqual({
      key: 'sim-a',
      title: 'sim-a',
      state: 'Online',
      tone: 'good',
      detail: '24 qubits · simulator · 1 running, 3 waiting'
    });
  });

  it('counts no qubits before its driver has said how many there are', () => {
    expect(qpuRow(qpu({ num_qubits: 0, simulator: false }), NOW, trans).detail).toBe(
      '1 running, 0 waiting'
    );
  });

  it('marks an offline one', () => {
    expect(qpuRow(qpu({ status: 'offline' }), NOW, trans)).toMatchObject({
      state: 'Offline',
      tone: 'bad'
    });
  });
});

describe('jobRow', () => {
  it('says of a plan what its fragments do, and on which QPUs', () => {
    const message = '1 of 2 fragments on a; 1 waiting for b.';
    const reason = { rule: 'fragments', message, position: null, since_at: null, until_at: null };
    const plan = job({ phase: 'blocked', qpu: 'a', qpus: ['a', 'b'], reason });
    expect(jobRow(plan, NOW, trans)).toMatchObject({
      state: 'Running',
      tone: 'active',
      detail: 'a, b · 1 of 2 fragments on a; 1 waiting for b'
    });
    expect(jobRow({ ...plan, reason: null }, NOW, trans).state).toBe('Waiting for other jobs');
  });

  it('says where a waiting job stands and why it waits', () => {
    const reason = {
      rule: 'offline',
      message: 'sim-a is offline',
      position: 2,
      since_at: null,
      until_at: null
    };
    expect(jobRow(job({ reason }), NOW, trans)).toMatchObject({
      state: 'Waiting',
      detail: 'sim-a · sim-a is offline · position 2',
      cancellable: true
    });
  });

  it('shows how far a running job is', () => {
    const row = jobRow(job({ status: 'running', phase: 'running', progress: 0.426 }), NOW, trans);
    expect(row).toMatchObject({ state: 'Running', tone: 'active', detail: 'sim-a · 43 %' });
  });

  it('shows why a job failed', () => {
    const error = { kind: 'ProgramError', code: 'bad_program', message: 'no such gate', data: {} };
    const row = jobRow(job({ status: 'failed', phase: 'failed', error }), NOW, trans);
    expect(row).toMatchObject({ tone: 'bad', detail: 'sim-a · no such gate', cancellable: false });
  });

  it('says of a completed job how much it measured: of a sweep, each point', () => {
    const done = job({ status: 'completed', phase: 'completed', shots: 500, busy_s: 2 });
    expect(jobRow(done, NOW, trans).detail).toBe('sim-a · 500 shots · ran 2 s');
    expect(jobRow({ ...done, num_circuits: 41 }, NOW, trans).detail).toBe(
      'sim-a · 41 runs of 500 shots · ran 2 s'
    );
  });

  it('offers no second cancel', () => {
    const row = jobRow(job({ status: 'running', phase: 'cancelling' }), NOW, trans);
    expect(row.cancellable).toBe(false);
  });

  it('goes by its name where it has one', () => {
    expect(jobRow(job({ name: 'T1 sweep' }), NOW, trans).title).toBe('T1 sweep');
    expect(jobRow(job(), NOW, trans).title).toBe('j1');
  });
});
