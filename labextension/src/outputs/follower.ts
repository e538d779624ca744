import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import type { IExperiment } from '../drawings';
import { hasEnded, isOfJob, MOVED_ON, newer, withEvent } from '../jobs';
import { Refresher } from '../refresher';
import { at } from '../send';
import type { ILabManager } from '../tokens';
import type { JobModel, JobPage, LabEvent, PartialResult } from '../wire';
import { drawnOf, type IDrawn } from './drawn';

/** Jobs that one question is about at most: the lab takes no more. */
const MOST = 100;
/** The lab is asked at most this often (ms). */
const EVERY = 100;
/** The rows of running jobs are asked for at most this often (ms). */
const GROWN = 250;
/** Results that are fetched at a time. */
const AT_ONCE = 4;

/** What this page's lab says of a job. Never changed, only replaced. */
export interface ILive {
  /** Null until the lab has answered, and where it knows no such job. */
  readonly job: JobModel | null;
  /** What is drawn of its result, once somebody wanted it. */
  readonly drawn: IDrawn | null;
  /** What is drawn of the rows that the running attempt has measured. */
  readonly growing: IDrawn | null;
  /** Why there is no job: the lab has none that one may see, or it was deleted. */
  readonly gone: 'unknown' | 'deleted' | null;
}

/** Somebody who follows a job. */
export interface IFollowing extends IDisposable {
  readonly live: ILive;
  readonly changed: ISignal<IFollowing, void>;
  /** Whether its place in the queue is looked at: it is asked for again when others move on. */
  watched: boolean;
  /** Whether its result is wanted, too. */
  wanted: boolean;
}

const NOTHING: ILive = { job: null, drawn: null, growing: null, gone: null };

/** Follows the jobs of all outputs in the page: by the lab's events, and by one question for many. */
export class Follower {
  constructor(private readonly _manager: ILabManager) {
    _manager.follow({
      heard: event => this._heard(event),
      missed: () => this._stale(() => true),
      back: () => this._asker.want()
    });
    _manager.changed.connect((_, { connection }) => {
      if (connection === 'connected' && this._questions.size > 0) {
        this._asker.want(); // the last question was in vain
      }
    });
  }

  follow(id: string): IFollowing {
    const followed = this._jobs.get(id) ?? new Followed(id);
    if (!this._jobs.has(id)) {
      this._jobs.set(id, followed);
      this._ask(followed);
    }
    const following = new Following(
      followed,
      () => this._fetch(followed),
      () => this._left(followed)
    );
    followed.followers.add(following);
    return following;
  }

  /** What somebody did to a job is to be seen at once. */
  refresh(id: string): void {
    const followed = this._jobs.get(id);
    if (followed) {
      this._ask(followed);
    }
  }

  /** Nobody follows it any more; what has ended is known when a view of it comes back. */
  private _left({ id, followers, live }: Followed): void {
    if (followers.size === 0 && !(live.job && hasEnded(live.job))) {
      this._jobs.delete(id);
      this._questions.delete(id);
    }
  }

  private _heard(event: LabEvent): void {
    if (!isOfJob(event)) {
      if (['qpu.changed', 'booking.changed', 'session.changed'].includes(event.kind)) {
        this._movedOn.want();
      }
      return;
    }
    const followed = this._jobs.get(event.job_id ?? '');
    if (followed === undefined) {
      if (event.kind === 'job.changed' || event.kind === 'job.deleted') {
        this._movedOn.want();
      }
      return;
    }
    if (event.kind === 'job.deleted') {
      followed.replace({ gone: 'deleted' });
      return;
    }
    const { job } = followed.live;
    followed.heard = Math.max(followed.heard, event.data.version);
    if (job !== null) {
      followed.replace({ job: withEvent(job, event) });
    }
    if (event.kind === 'job.progress') {
      this._grow(followed);
    } else {
      followed.replace({ growing: null }); // it was of the attempt before
      this._ask(followed);
      this._movedOn.want();
    }
  }

  private _ask(followed: Followed): void {
    this._questions.add(followed.id);
    this._asker.want();
  }

  private _stale(which: (followed: Followed) => boolean): void {
    for (const followed of this._jobs.values()) {
      const { job, gone } = followed.live;
      if (gone === null && !(job && hasEnded(job)) && which(followed)) {
        this._ask(followed);
      }
    }
  }

  private async _askAll(): Promise<void> {
    const ids = [...this._questions].slice(0, MOST);
    if (ids.length === 0) {
      return;
    }
    for (const id of ids) {
      this._questions.delete(id);
    }
    const query = new URLSearchParams(ids.map(id => ['id', id]));
    query.set('limit', String(MOST));
    let found: Map<string, JobModel>;
    try {
      const { jobs } = await this._manager.request<JobPage>(`jobs?${query}`);
      found = new Map(jobs.map(job => [job.id, job]));
    } catch {
      // Asked again once the lab answers; the manager's state says that it does not.
      for (const id of ids) {
        this._questions.add(id);
      }
      return;
    }
    for (const id of ids) {
      const followed = this._jobs.get(id);
      if (followed) {
        this._answered(followed, found.get(id));
      }
    }
    if (this._questions.size > 0) {
      this._asker.want();
    }
  }

  private _answered(followed: Followed, found: JobModel | undefined): void {
    if (found === undefined) {
      if (followed.live.gone === null) {
        followed.replace({ gone: 'unknown' });
      }
      return;
    }
    const job = newer(followed.live.job ?? undefined, found);
    followed.replace({ job, gone: null });
    if (job.version < followed.heard) {
      this._ask(followed); // something was heard while the question was under way
    }
    this._fetch(followed);
    this._grow(followed);
  }

  /** Ask for the rows of a running job that somebody looks at, where it has some. */
  private _grow(followed: Followed): void {
    const { job } = followed.live;
    if (job?.status === 'running' && job.rows > 0 && followed.isWatched) {
      this._growing.add(followed);
      this._grower.want();
    }
  }

  private async _askForRows(): Promise<void> {
    const growing = [...this._growing].slice(0, AT_ONCE);
    growing.forEach(followed => void this._growing.delete(followed));
    await Promise.all(growing.map(followed => this._askForRowsOf(followed)));
    if (this._growing.size > 0) {
      this._grower.want();
    }
  }

  private async _askForRowsOf(followed: Followed): Promise<void> {
    const path = at('jobs', followed.id, 'partial');
    const found = await this._manager.request<PartialResult>(path).catch(() => null); // there will be more
    const { job } = followed.live;
    if (found?.status === 'running' && job?.attempt === found.attempt) {
      const { drawings } = found;
      followed.replace({ growing: { drawings, total: drawings.length } });
    }
  }

  /** Fetch what is drawn, where somebody wants it and it is there. */
  private _fetch(followed: Followed): void {
    const { job, drawn } = followed.live;
    if (job?.status === 'completed' && drawn === null && followed.isWanted && !followed.fetching) {
      followed.fetching = true;
      this._results.push(followed);
      this._next();
    }
  }

  private _next(): void {
    while (this._running < AT_ONCE) {
      const followed = this._results.shift();
      if (followed === undefined) {
        return;
      }
      this._running += 1;
      void this._fetchOne(followed).finally(() => {
        followed.fetching = false;
        this._running -= 1;
        this._next();
      });
    }
  }

  private async _fetchOne(followed: Followed): Promise<void> {
    const path = at('jobs', followed.id);
    const ask = this._manager.request;
    try {
      const { results } = await ask<{ results: IExperiment[] }>(`${path}/result`);
      followed.replace({ drawn: drawnOf(results) });
    } catch {
      this._questions.add(followed.id); // asked for again once the lab answers
    }
  }

  private readonly _grower = new Refresher(() => this._askForRows(), GROWN);
  private readonly _growing = new Set<Followed>();
  private readonly _asker = new Refresher(() => this._askAll(), EVERY);
  private readonly _jobs = new Map<string, Followed>();
  private readonly _movedOn = new Refresher(async () => {
    this._stale(({ isWatched, live }) => isWatched && live.job?.status === 'pending');
  }, MOVED_ON);
  private readonly _questions = new Set<string>();
  private readonly _results: Followed[] = [];
  private _running = 0;
}

/** A job, and who follows it. */
class Followed {
  constructor(readonly id: string) {}

  live = NOTHING;
  fetching = false;
  /** The newest version that an event spoke of. */
  heard = 0;
  readonly followers = new Set<Following>();

  get isWatched(): boolean {
    return [...this.followers].some(({ watched }) => watched);
  }

  get isWanted(): boolean {
    return [...this.followers].some(({ wanted }) => wanted);
  }

  replace(changes: Partial<ILive>): void {
    this.live = { ...this.live, ...changes };
    for (const follower of [...this.followers]) {
      follower.emit();
    }
  }
}

class Following implements IFollowing {
  constructor(
    private readonly _followed: Followed,
    private readonly _fetch: () => void,
    private readonly _leave: () => void
  ) {}

  watched = false;

  get live(): ILive {
    return this._followed.live;
  }

  get changed(): ISignal<IFollowing, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  get wanted(): boolean {
    return this._wanted;
  }

  set wanted(wanted: boolean) {
    this._wanted = wanted;
    if (wanted) {
      this._fetch();
    }
  }

  emit(): void {
    this._changed.emit();
  }

  dispose(): void {
    if (!this._isDisposed) {
      this._isDisposed = true;
      Signal.clearData(this);
      this._followed.followers.delete(this);
      this._leave();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private _isDisposed = false;
  private _wanted = false;
}
