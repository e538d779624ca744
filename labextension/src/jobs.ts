import type {
  JobChanged,
  JobChecked,
  JobDeleted,
  JobEdited,
  JobModel,
  JobProgress,
  JobSubmitted,
  LabEvent
} from './wire';

/** What happens to a job. */
export type JobEvent =
  | JobSubmitted
  | JobChecked
  | JobChanged
  | JobProgress
  | JobEdited
  | JobDeleted;

/** Jobs that wait are looked at again at most this often (ms): others' ends move them on. */
export const MOVED_ON = 2_000;

const ENDED: readonly JobModel['status'][] = ['completed', 'failed', 'cancelled'];

export function hasEnded({ status }: Pick<JobModel, 'status'>): boolean {
  return ENDED.includes(status);
}

/** Whether what happens to other jobs may change what it waits for. */
export function movesOn(phase: JobModel['phase'] | undefined): boolean {
  return phase === 'queued' || phase === 'blocked';
}

/** Whether it failed or was cancelled only because a job did that it hangs together with. */
export function endedWithAnother({ error }: JobModel): boolean {
  return error?.code === 'dependency_failed' || error?.code === 'cancelled_with';
}

/** Only what is said of jobs has a phase. */
export function isOfJob(event: LabEvent): event is JobEvent {
  return 'phase' in event.data;
}

/** A job with what an event says of it; the same job where that is nothing new. */
export function withEvent(job: JobModel, event: JobEvent): JobModel {
  const { version, status, phase, attempt, checked, progress, name, error } = event.data;
  if (version <= job.version) {
    return job;
  }
  const same = status === 'running' && attempt === job.attempt;
  const rows = event.data.rows ?? (same ? job.rows : 0);
  const said = { version, status, phase, attempt, checked, progress, rows, name };
  return {
    ...job,
    ...said,
    qpu: event.qpu ?? job.qpu,
    reason: phase === job.phase ? job.reason : null,
    error: error ?? job.error,
    ...(event.kind === 'job.edited' && edited(event))
  };
}

function edited({ data }: JobEdited): Partial<JobModel> {
  return Object.fromEntries(data.changed.map(name => [name, data[name]]));
}

/** The newer of two. */
export function newer(known: JobModel | undefined, job: JobModel): JobModel {
  return known && known.version > job.version ? known : job;
}
