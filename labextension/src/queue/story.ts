import type { TranslationBundle } from '@jupyterlab/translation';

import { isOfJob } from '../jobs';
import { jobState } from '../rows';
import type { JobChanged, JobData, JobEditData, JobSubmitted, LabEvent, LedgerLine } from '../wire';
import { labelWords } from './labels';

/** One thing that happened to a job. */
export interface IMoment {
  readonly seq: number;
  readonly at: string;
  readonly job: string;
  readonly text: string;
}

/** One try of a driver to run the job. */
export interface IAttempt {
  readonly number: number;
  readonly driver: string;
  readonly taken: string;
  readonly began: string | null;
  readonly ended: string | null;
  readonly outcome: string;
}

/** One line of the ledger. */
export interface ILine extends LedgerLine {
  readonly at: string;
}

/** What happened to jobs, in words, oldest first. */
export function story(events: readonly LabEvent[], trans: TranslationBundle): IMoment[] {
  const moments: IMoment[] = [];
  const phases = new Map<string, string>();
  for (const event of events) {
    const job = event.job_id ?? '';
    const text = words(event, phases.get(job) ?? '', trans);
    if (isOfJob(event)) {
      phases.set(job, event.data.phase);
    }
    if (text) {
      moments.push({ seq: event.seq, at: event.at, job, text });
    }
  }
  return moments;
}

/** Who tried to run the job, and what came of it. */
export function attempts(events: readonly LabEvent[], trans: TranslationBundle): IAttempt[] {
  const found = new Map<number, IAttempt>();
  let current = 0;
  for (const event of events) {
    if (event.kind !== 'job.changed') {
      continue;
    }
    if (event.data.phase === 'assigned') {
      current = event.data.attempt;
      const driver = event.data.driver_name ?? '';
      const [began, ended, outcome] = [null, null, trans.__('In progress')];
      found.set(current, { number: current, driver, taken: event.at, began, ended, outcome });
    }
    const attempt = found.get(current);
    if (attempt) {
      found.set(current, after(attempt, event, trans));
    }
  }
  return [...found.values()];
}

function after(attempt: IAttempt, event: JobChanged, trans: TranslationBundle): IAttempt {
  const ended = (outcome: string): IAttempt => ({ ...attempt, ended: event.at, outcome });
  switch (event.data.phase) {
    case 'running':
      return { ...attempt, began: attempt.began ?? event.at };
    case 'queued':
      return attempt.ended ? attempt : ended(trans.__('No result'));
    case 'completed':
      return ended(jobState('completed', trans)[0]);
    case 'failed':
      return ended(jobState('failed', trans)[0]);
    case 'cancelled':
      return attempt.ended ? attempt : ended(jobState('cancelled', trans)[0]);
    default:
      return attempt;
  }
}

/** What the job's account was asked for, and got back. */
export function ledger(events: readonly LabEvent[]): ILine[] {
  return events
    .filter(isOfJob)
    .flatMap(({ at, data }) => (data.ledger ?? []).map(line => ({ ...line, at })));
}

function words(event: LabEvent, before: string, trans: TranslationBundle): string {
  switch (event.kind) {
    case 'job.submitted':
      return submit(event, trans);
    case 'job.checked':
      return trans.__('The program was checked.');
    case 'job.edited':
      return edit(event.data, trans);
    case 'job.changed':
      return change(event.data, before, trans);
    default:
      return ''; // progress, and what later versions add
  }
}

function submit({ data, qpu }: JobSubmitted, trans: TranslationBundle): string {
  const count = data.waits_for ?? 0;
  return count === 0
    ? trans.__('%1 submitted it to %2.', data.owner, qpu ?? '')
    : trans._n(
        '%2 submitted it to %3, to run after %1 job.',
        '%2 submitted it to %3, to run after %1 jobs.',
        count,
        data.owner,
        qpu ?? ''
      );
}

function change(data: JobData, before: string, trans: TranslationBundle): string {
  const number = String(data.attempt);
  const driver = data.driver_name ?? trans.__('a driver');
  const why = data.error?.message ?? '';
  switch (data.phase) {
    case 'assigned':
      return trans.__('Assigned to %1 (attempt %2).', driver, number);
    case 'running':
      return before === 'lost'
        ? trans.__('Its driver is back and still has the job.')
        : trans.__('Attempt %1 started.', number);
    case 'lost':
      return trans.__('Lost contact with %1; waiting for its result.', driver);
    case 'blocked':
      return trans.__('A job that it waits for has completed; %1 to go.', data.waits_for ?? 0);
    case 'queued':
      return before === 'blocked'
        ? trans.__('All jobs that it waited for have completed; queued.')
        : trans.__('Attempt %1 ended without a result; queued again.', number);
    case 'cancelling':
      return why ? trans.__('Cancelling: %1', why) : trans.__('Cancelling.');
    case 'completed':
      return trans.__('Completed.');
    case 'failed':
      return why ? trans.__('Failed: %1', why) : trans.__('Failed.');
    case 'cancelled':
      return why ? trans.__('Cancelled: %1', why) : trans.__('Cancelled.');
    default:
      return '';
  }
}

function edit(data: JobEditData, trans: TranslationBundle): string {
  const { by } = data;
  const words = labelWords(trans);
  const parts = data.changed.map(field => {
    switch (field) {
      case 'name':
        return trans.__('%1 named it “%2”.', by, data.name);
      case 'tags':
        return data.tags?.length
          ? trans.__('%1 tagged it %2.', by, data.tags.join(', '))
          : trans.__('%1 took its tags away.', by);
      case 'shared_with':
        return data.shared_with
          ? trans.__('%1 shared it with %2.', by, data.shared_with)
          : trans.__('%1 made it private.', by);
      default: {
        const value = data[field];
        return value ? words[field].given(by, value) : words[field].removed(by);
      }
    }
  });
  return parts.join(' ');
}
