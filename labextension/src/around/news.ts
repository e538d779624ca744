import type { TranslationBundle } from '@jupyterlab/translation';

import type { JobModel } from '../wire';

/** A job that took longer than this (ms) is told of even to somebody who looks at it. */
export const LONG = 10_000;
/** What ends within this time (ms) of the news before it is told together with that. */
export const TOGETHER = 30_000;
/** News change at most this often (ms). */
export const EVERY = 1_000;

/** One piece of news. */
export interface INews {
  /** The job that it is about; null where there are several. */
  readonly job: JobModel | null;
  readonly message: string;
  readonly type: 'success' | 'error' | 'info';
}

/** What news count: a busy loop has more jobs than anybody keeps. */
interface ICount {
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly latest: JobModel | null;
  readonly latestFailed: JobModel | null;
}

const NONE: ICount = { completed: 0, failed: 0, cancelled: 0, latest: null, latestFailed: null };

interface IOptions {
  readonly trans: TranslationBundle;
  readonly now: () => number;
  /** Whether somebody sees a view of the job at this moment. */
  readonly inSight: (id: string) => Promise<boolean>;
  /** Show news, in the place of those with the id `known` where there are some; the id of what is shown now. */
  readonly tell: (news: INews, known: string | null) => string;
  /** Whether what has this id is still there. */
  readonly stands: (id: string) => boolean;
}

/** Gathers the jobs that ended to news that can be read: many short jobs are one piece of news, which grows. */
export class News {
  constructor(private readonly _options: IOptions) {}

  /** A job has ended. */
  async add(job: JobModel): Promise<void> {
    const { now, inSight } = this._options;
    const long = now() - Date.parse(job.submitted_at) > LONG;
    if (long || !(await inSight(job.id))) {
      this._pending.push(job);
      this._timer ??= setTimeout(() => this._flush(), Math.max(0, this._told + EVERY - now()));
    }
  }

  private _flush(): void {
    const { now, stands, tell, trans } = this._options;
    this._timer = undefined;
    const goesOn =
      this._shown !== null && now() - this._told < TOGETHER + EVERY && stands(this._shown);
    this._count = this._pending.reduce(counted, goesOn ? this._count : NONE);
    this._pending = [];
    this._told = now();
    this._shown = tell(newsOf(this._count, trans), goesOn ? this._shown : null);
  }

  private _count = NONE;
  private _pending: JobModel[] = [];
  private _shown: string | null = null;
  private _told = 0;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}

function counted(before: ICount, job: JobModel): ICount {
  return {
    completed: before.completed + Number(job.status === 'completed'),
    failed: before.failed + Number(job.status === 'failed'),
    cancelled: before.cancelled + Number(job.status === 'cancelled'),
    latest: job,
    latestFailed: job.status === 'failed' ? job : before.latestFailed
  };
}

function newsOf(count: ICount, trans: TranslationBundle): INews {
  const { completed, failed, cancelled, latest, latestFailed } = count;
  const type = failed > 0 ? 'error' : completed > 0 ? 'success' : 'info';
  if (completed + failed + cancelled === 1 && latest !== null) {
    return { job: latest, message: ofOne(latest, trans), type };
  }
  const parts = [
    completed > 0 ? trans.__('%1 completed', completed.toLocaleString()) : '',
    failed > 0 ? trans.__('%1 failed', failed.toLocaleString()) : '',
    cancelled > 0 ? trans.__('%1 cancelled', cancelled.toLocaleString()) : ''
  ].filter(Boolean);
  const ended = trans.__('Jobs: %1.', parts.join(', '));
  const why = latestFailed === null ? '' : trans.__(' Latest: %1', ofOne(latestFailed, trans));
  return { job: null, message: ended + why, type };
}

function ofOne(job: JobModel, trans: TranslationBundle): string {
  const name = job.name || job.id;
  if (job.status === 'failed') {
    return trans.__('%1 failed: %2', name, job.error?.message ?? '');
  }
  return job.status === 'cancelled'
    ? trans.__('%1 was cancelled.', name)
    : trans.__('%1 has completed.', name);
}
