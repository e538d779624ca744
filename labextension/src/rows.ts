import type { TranslationBundle } from '@jupyterlab/translation';

import { condition, jobNote } from './prospects';
import { qpuState, type Tone } from './states';
import type { JobModel, QpuModel } from './wire';
import { sizeOf } from './words';

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

/** As what a blocked job of a plan is shown, by the rule of its reason. */
const OF_PLANS: Readonly<Record<string, 'planning' | 'queued' | 'running'>> = {
  planning: 'planning',
  place: 'queued',
  fragments: 'running'
};

/**
 * How a job stands, in the words of a screen: the one place that has them (the kernel's is qpi_jupyter/client/status.py).
 * The rule of its reason tells a plan's job, and its fragments, from others that are blocked.
 */
export function jobState(
  phase: JobModel['phase'],
  trans: TranslationBundle,
  rule = ''
): [string, Tone] {
  const phases: Record<JobModel['phase'] | 'planning', [string, Tone]> = {
    planning: [trans.__('Planning'), 'waiting'],
    blocked: [trans.__('Waiting for other jobs'), 'waiting'],
    queued: [trans.__('Waiting'), 'waiting'],
    assigned: [trans.__('Waiting'), 'waiting'], // with a driver, and counted as waiting
    running: [trans.__('Running'), 'active'],
    lost: [trans.__('Lost contact'), 'bad'],
    cancelling: [trans.__('Cancelling'), 'waiting'],
    completed: [trans.__('Completed'), 'good'],
    failed: [trans.__('Failed'), 'bad'],
    cancelled: [trans.__('Cancelled'), 'quiet']
  };
  return phases[(phase === 'blocked' && OF_PLANS[rule]) || phase];
}

/** The QPU of a job, or those of its plan's fragments; empty where that is not decided yet. */
export function qpusOf({ qpu, qpus }: Pick<JobModel, 'qpu' | 'qpus'>): string {
  return qpus.join(', ') || (qpu ?? '');
}

export function isCancellable({ phase, status }: JobModel): boolean {
  return (status === 'pending' || status === 'running') && phase !== 'cancelling';
}

export function jobRow(job: JobModel, now: number, trans: TranslationBundle): IJobRow {
  const [state, tone] = jobState(job.phase, trans, job.reason?.rule);
  return {
    key: job.id,
    title: job.name || job.id,
    state,
    tone,
    detail: joined([
      qpusOf(job),
      job.status === 'completed' ? sizeOf(job, trans) : '',
      jobNote(job, now, trans)
    ]),
    cancellable: isCancellable(job)
  };
}

function joined(parts: readonly string[]): string {
  return parts.filter(Boolean).join(' · ');
}
