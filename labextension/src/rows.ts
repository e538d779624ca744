import type { TranslationBundle } from '@jupyterlab/translation';

import { condition, jobNote } from './prospects';
import { qpuState, type Tone } from './states';
import type { JobModel, QpuModel } from './wire';
import { shotsOf } from './words';

/** What a list row shows of one QPU or job. */
export interface IRow {
  readonly key: string;
  readonly title: string;
  readonly state: string;
  readonly tone: Tone;
  /** The second line; empty if there is nothing more to say. */
  readonly detail: string;
}

export interface IJobRow extends IRow {
  readonly cancellable: boolean;
}

export function qpuRow(qpu: QpuModel, now: number, trans: TranslationBundle): IRow {
  const [state, tone] = qpuState(qpu, trans);
  const detail = [
    condition(qpu, now, trans),
    // None are known before its driver has said so.
    qpu.num_qubits === 0 ? '' : trans._n('%1 qubit', '%1 qubits', qpu.num_qubits),
    qpu.simulator ? trans.__('simulator') : '',
    trans.__('%1 running, %2 waiting', qpu.running, qpu.queued)
  ];
  return { key: qpu.name, title: qpu.name, state, tone, detail: joined(detail) };
}

/** How a job stands, in a word: by its status, and by its phase where that says more. */
export function jobState(phase: JobModel['phase'], trans: TranslationBundle): [string, Tone] {
  const phases: Record<JobModel['phase'], [string, Tone]> = {
    blocked: [trans.__('waiting for other jobs'), 'waiting'],
    queued: [trans.__('queued'), 'waiting'],
    assigned: [trans.__('queued'), 'waiting'], // with a driver, and counted as waiting
    running: [trans.__('running'), 'active'],
    lost: [trans.__('lost contact'), 'bad'],
    cancelling: [trans.__('cancelling'), 'waiting'],
    completed: [trans.__('completed'), 'good'],
    failed: [trans.__('failed'), 'bad'],
    cancelled: [trans.__('cancelled'), 'quiet']
  };
  return phases[phase];
}

export function isCancellable({ phase, status }: JobModel): boolean {
  return (status === 'pending' || status === 'running') && phase !== 'cancelling';
}

export function jobRow(job: JobModel, now: number, trans: TranslationBundle): IJobRow {
  const [state, tone] = jobState(job.phase, trans);
  return {
    key: job.id,
    title: job.name || job.id,
    state,
    tone,
    detail: joined([
      job.qpu ?? '',
      job.status === 'completed' ? shotsOf(job.shots, trans) : '',
      jobNote(job, now, trans)
    ]),
    cancellable: isCancellable(job)
  };
}

function joined(parts: readonly string[]): string {
  return parts.filter(Boolean).join(' · ');
}
