import type { TranslationBundle } from '@jupyterlab/translation';

import type { JobModel, WaitReason } from '../wire';

const DAY = 86_400_000;

// Made once: a table formats thousands of times a second while it is scrolled.
const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const DAY_AND_TIME = new Intl.DateTimeFormat(undefined, {
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit'
});
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });
const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });
const NUMBER = new Intl.NumberFormat();

/** A moment in the reader's own time zone: today only the time, long ago only the day. */
export function moment(at: string, now: number): string {
  const date = new Date(at);
  if (Math.abs(now - date.getTime()) > 300 * DAY) {
    return DATE.format(date);
  }
  const today = date.toDateString() === new Date(now).toDateString();
  return (today ? TIME : DAY_AND_TIME).format(date);
}

/** A moment with everything that is to say of it. */
export function wholeMoment(at: string): string {
  return WHOLE.format(new Date(at));
}

export function number(value: number): string {
  return NUMBER.format(value);
}

/** A length in seconds, in words that are short. */
export function span(seconds: number, trans: TranslationBundle): string {
  if (seconds < 1) {
    return trans.__('%1 ms', Math.round(seconds * 1000));
  }
  if (seconds < 120) {
    return trans.__('%1 s', seconds < 10 ? seconds.toFixed(1) : Math.round(seconds));
  }
  if (seconds < 7200) {
    return trans.__('%1 min', Math.round(seconds / 60));
  }
  return trans.__('%1 h', (seconds / 3600).toFixed(1));
}

/** What a job waits for, how far it is, or what it came to: one line. */
export function jobNote(job: JobModel, now: number, trans: TranslationBundle): string {
  if (job.error) {
    return job.error.message;
  }
  if (job.status === 'pending' && job.reason) {
    return [place(job.reason, trans), job.reason.message, eta(job.reason, now, trans)]
      .filter(Boolean)
      .join(' · ');
  }
  if (job.phase === 'running') {
    return job.progress > 0 ? `${Math.round(100 * job.progress)} %` : '';
  }
  return job.busy_s !== null && job.busy_s > 0 ? trans.__('ran %1', span(job.busy_s, trans)) : '';
}

export function place(reason: WaitReason, trans: TranslationBundle): string {
  return reason.position === null ? '' : trans.__('position %1', reason.position);
}

/** When the wait is expected to end, with how far off the lab's guesses were lately. */
export function eta(reason: WaitReason, now: number, trans: TranslationBundle): string {
  if (reason.about_at === null) {
    return '';
  }
  const at = moment(reason.about_at, now);
  return reason.error_s === null
    ? trans.__('about %1', at)
    : trans.__('about %1 ± %2', at, span(reason.error_s, trans));
}
