import type { TranslationBundle } from '@jupyterlab/translation';

import type { Eta, JobModel, QpuModel } from './wire';
import { moment, stamp } from './words';

/** Until then seconds are told (ms). */
const SOON = 600_000;

/** Why a QPU is as it is, and until when, as far as that is known. */
export function condition(qpu: QpuModel, now: number, trans: TranslationBundle): string {
  const { reason, until_at } = qpu;
  return [reason, until_at === null ? '' : trans.__('until %1', stamp(until_at, now))]
    .filter(Boolean)
    .join(', ');
}

/** What a job waits for, how far it is, or what it came to: one line. */
export function jobNote(job: JobModel, now: number, trans: TranslationBundle): string {
  if (job.error) {
    return job.error.message;
  }
  const running = job.phase === 'running' && job.progress > 0;
  const parts = [
    job.status === 'pending' ? (job.reason?.message ?? '').replace(/\.$/, '') : '',
    running ? `${Math.round(100 * job.progress)} %` : '',
    ...prospectOf(job, now, trans),
    job.busy_s !== null && job.busy_s > 0 ? trans.__('ran %1', span(job.busy_s, trans)) : ''
  ];
  return parts.filter(Boolean).join(' · ');
}

/** The place of a job that has not ended, until when it is kept waiting, and when it starts or ends. */
export function prospectOf(
  job: Pick<JobModel, 'eta' | 'reason' | 'status'>,
  now: number,
  trans: TranslationBundle
): string[] {
  const { eta, reason, status } = job;
  const waits = status === 'pending' ? reason : null;
  const parts = [
    waits && waits.position !== null ? trans.__('position %1', waits.position) : '',
    waits?.until_at ? trans.__('until %1', stamp(waits.until_at, now)) : '',
    eta ? etaText(eta, now, trans) : ''
  ];
  return parts.filter(Boolean);
}

/**
 * When a job is likely to start or to end: the range that holds the truth in four of five cases, and the past error.
 * Nothing is said of an end that is not known.
 */
export function etaText(eta: Eta, now: number, trans: TranslationBundle): string {
  const { earliest_at, likely_at, latest_at, error_s } = eta;
  const starts = eta.of === 'start';
  if (earliest_at === null || likely_at === null || latest_at === null) {
    return starts ? trans.__('start not known yet') : '';
  }
  const exact = Date.parse(latest_at) - now < SOON;
  const [earliest, likely] = [earliest_at, likely_at].map(at => moment(at, now, exact));
  const latest = stamp(latest_at, now, exact);
  const text = starts
    ? trans.__('starts about %1 (%2 to %3)', likely, earliest, latest)
    : trans.__('ends about %1 (%2 to %3)', likely, earliest, latest);
  return error_s === null
    ? text
    : trans.__('%1, off by %2 lately', text, span(Math.round(error_s), trans));
}

/** A length in seconds, in words that are short. */
export function span(seconds: number, trans: TranslationBundle): string {
  if (seconds > 0 && seconds < 1) {
    return trans.__('%1 ms', Math.round(seconds * 1000));
  }
  if (seconds < 120) {
    return trans.__(
      '%1 s',
      Number.isInteger(seconds) || seconds >= 10 ? Math.round(seconds) : seconds.toFixed(1)
    );
  }
  if (seconds < 7200) {
    return trans.__('%1 min', Math.round(seconds / 60));
  }
  return trans.__('%1 h', (seconds / 3600).toFixed(1));
}
