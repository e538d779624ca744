import type { TranslationBundle } from '@jupyterlab/translation';

import { qpuState, type Tone } from './states';
import type { JobModel, QpuModel } from './wire';

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

export function qpuRow(qpu: QpuModel, trans: TranslationBundle): IRow {
  const [state, tone] = qpuState(qpu, trans);
  const detail = [
    // None are known before its driver has said so.
    qpu.num_qubits === 0 ? '' : trans._n('%1 qubit', '%1 qubits', qpu.num_qubits),
    qpu.simulator ? trans.__('simulator') : '',
    trans.__('%1 running, %2 waiting', qpu.running, qpu.queued)
  ];
  return { key: qpu.name, title: qpu.name, state, tone, detail: joined(detail) };
}

/** How a job stands, in a word. */
export function jobState(phase: JobModel['phase'], trans: TranslationBundle): [string, Tone] {
  const phases: Record<JobModel['phase'], [string, Tone]> = {
    blocked: [trans.__('waiting for other jobs'), 'waiting'],
    queued: [trans.__('queued'), 'waiting'],
    assigned: [trans.__('starting'), 'waiting'],
    running: [trans.__('running'), 'active'],
    lost: [trans.__('lost contact'), 'bad'],
    cancelling: [trans.__('cancelling'), 'waiting'],
    completed: [trans.__('completed'), 'good'],
    failed: [trans.__('failed'), 'bad'],
    cancelled: [trans.__('cancelled'), 'quiet']
  };
  return phases[phase];
}

export function jobRow(job: JobModel, trans: TranslationBundle): IJobRow {
  const [state, tone] = jobState(job.phase, trans);
  return {
    key: job.id,
    title: job.name || job.id,
    state,
    tone,
    detail: joined([job.qpu ?? '', ...jobDetail(job, trans)]),
    cancellable:
      (job.status === 'pending' || job.status === 'running') && job.phase !== 'cancelling'
  };
}

function jobDetail(job: JobModel, trans: TranslationBundle): string[] {
  if (job.error) {
    return [job.error.message];
  }
  if (job.status === 'pending' && job.reason) {
    const { position, message } = job.reason;
    return [position === null ? '' : trans.__('position %1', position), message];
  }
  if (job.phase === 'running' && job.progress > 0) {
    return [`${Math.round(100 * job.progress)} %`];
  }
  return [trans._n('%1 shot', '%1 shots', job.shots)];
}

function joined(parts: readonly string[]): string {
  return parts.filter(Boolean).join(' · ');
}
