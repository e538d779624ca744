import type { JobModel, JobOutput, OutputJob } from '../wire';
import type { ILive } from './follower';

/** What is shown of a job: what the lab says where it does, else what the notebook has. */
export function shownOf(output: JobOutput, live: ILive, now: number): JobOutput {
  const { job, growing } = live;
  if (job === null) {
    return output;
  }
  const kept = isOfThis(output, job);
  const drawn = job.status === 'running' ? growing : live.drawn;
  const { drawings, total } = drawn ?? (kept ? output : { drawings: [], total: 0 });
  const at = new Date(now).toISOString();
  return { ...output, job: keptOf(job), at: kept ? output.at : at, drawings, total };
}

/** Whether the result that the notebook has is that of the job as the lab knows it. */
export function isOfThis({ job: saved, drawings }: JobOutput, job: JobModel): boolean {
  const whole = job.status !== 'completed' || drawings.length > 0;
  return whole && saved.version === job.version && saved.status === job.status;
}

/** What an output keeps of a job. */
function keptOf(job: JobModel): OutputJob {
  const { id, version, name, status, phase, qpu, qpus, num_circuits, shots, progress } = job;
  const { submitted_at, ended_at, busy_s, reason, eta, error } = job;
  const what = { id, version, name, status, phase, qpu, qpus, num_circuits, shots, progress };
  return { ...what, submitted_at, ended_at, busy_s, reason, eta, error };
}
