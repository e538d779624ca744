import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';

import { jobRow, qpuRow } from '../src/rows';
import { job, qpu } from './faults';

const trans = nullTranslator.load('qpi-jupyter');

describe('qpuRow', () => {
  it('says what the QPU is and does', () => {
    expect(qpuRow(qpu({ queued: 3 }), trans)).toEqual({
      key: 'sim-a',
      title: 'sim-a',
      state: 'online',
      tone: 'good',
      detail: '24 qubits · simulator · 1 running, 3 waiting'
    });
  });

  it('counts no qubits before its driver has said how many there are', () => {
    expect(qpuRow(qpu({ num_qubits: 0, simulator: false }), trans).detail).toBe(
      '1 running, 0 waiting'
    );
  });

  it('marks an offline one', () => {
    expect(qpuRow(qpu({ status: 'offline' }), trans)).toMatchObject({
      state: 'offline',
      tone: 'bad'
    });
  });
});

describe('jobRow', () => {
  it('says where a waiting job stands and why it waits', () => {
    const reason = {
      rule: 'offline',
      message: 'sim-a is offline',
      position: 2,
      since_at: null,
      about_at: null,
      error_s: null
    };
    expect(jobRow(job({ reason }), trans)).toMatchObject({
      state: 'queued',
      detail: 'sim-a · position 2 · sim-a is offline',
      cancellable: true
    });
  });

  it('shows how far a running job is', () => {
    const row = jobRow(job({ status: 'running', phase: 'running', progress: 0.426 }), trans);
    expect(row).toMatchObject({ state: 'running', tone: 'active', detail: 'sim-a · 43 %' });
  });

  it('shows why a job failed', () => {
    const error = { kind: 'ProgramError', code: 'bad_program', message: 'no such gate', data: {} };
    const row = jobRow(job({ status: 'failed', phase: 'failed', error }), trans);
    expect(row).toMatchObject({ tone: 'bad', detail: 'sim-a · no such gate', cancellable: false });
  });

  it('offers no second cancel', () => {
    const row = jobRow(job({ status: 'running', phase: 'cancelling' }), trans);
    expect(row.cancellable).toBe(false);
  });

  it('goes by its name where it has one', () => {
    expect(jobRow(job({ name: 'T1 sweep' }), trans).title).toBe('T1 sweep');
    expect(jobRow(job(), trans).title).toBe('j1');
  });
});
