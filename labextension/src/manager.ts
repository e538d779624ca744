import { Poll } from '@lumino/polling';
import { type ISignal, Signal } from '@lumino/signaling';

import { type EventBus, EventFollower, type IListener } from './events';
import { Refresher } from './refresher';
import { isShutOut, type LabRequest, messageOf } from './request';
import type { ILabManager, ILabState } from './tokens';
import { fetchTopic, newest, TOPICS, type Topic, topicsOf, UNASKED, withJobEvent } from './topics';
import type { JobModel, LabEvent, Me } from './wire';

/** Readers are told of a new state once a frame (ms). */
const FRAME = 16;
/** The bus may lose an event, so the lab is also asked this often while the page is visible (ms). */
const REASK = { interval: 10_000, backoff: 1.3, max: 20_000 };

/** Keeps the state by the lab's events: what they say at once, what else they concern by asking. */
export class LabManager implements ILabManager {
  constructor(options: LabManager.IOptions) {
    this._request = options.request;
    this._follower = new EventFollower(options.events, options.request);
    this._now = options.now ?? Date.now;
    this._poll = new Poll({
      name: 'qpi-jupyter:lab',
      factory: () => this._fetchAll(),
      frequency: REASK,
      standby: options.standby ?? 'when-hidden'
    });
    this.follow({ heard: event => this._heard(event), missed: () => this._refetch(TOPICS) });
  }

  get state(): ILabState {
    return this._state;
  }

  get changed(): ISignal<ILabManager, ILabState> {
    return this._changed;
  }

  get request(): LabRequest {
    return this._request;
  }

  get isDisposed(): boolean {
    return this._poll.isDisposed;
  }

  now(): number {
    return this._now();
  }

  follow(listener: IListener): () => void {
    return this._follower.follow(listener);
  }

  async refresh(): Promise<void> {
    if (this._polling) {
      await this._poll.tick; // the answer under way may be older than the reason to ask
    }
    await this._poll.refresh();
    await this._poll.tick;
  }

  async identify(): Promise<Me | null> {
    await this._fetch(['me']);
    return this._state.me;
  }

  async cancel(jobId: string): Promise<void> {
    await this._request<JobModel>(`jobs/${encodeURIComponent(jobId)}/cancel`, { method: 'POST' });
    await this.refresh();
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._follower.dispose();
    this._refresher.dispose();
    clearTimeout(this._frame);
    this._poll.dispose();
    Signal.clearData(this);
  }

  private _heard(event: LabEvent): void {
    const jobs = withJobEvent(this._state.jobs, event);
    if (jobs !== this._state.jobs) {
      this._replace({ jobs });
    }
    this._refetch(topicsOf(event, this._state));
  }

  /** Ask for `topics` soon, with whatever else is wanted by then. */
  private _refetch(topics: readonly Topic[]): void {
    for (const topic of topics) {
      this._stale.add(topic);
      this._refresher.want();
    }
  }

  private _fetchStale(): Promise<void> {
    const topics = [...this._stale];
    this._stale.clear();
    return this._fetch(topics); // where it fails, the state says so, and the poll tries again
  }

  private async _fetchAll(): Promise<void> {
    this._polling = true;
    try {
      if (this._state.problem !== null) {
        await this._fetch(['qpus']); // one question while there is no answer, not eight
      }
      await this._fetch(TOPICS);
    } finally {
      this._polling = false;
    }
  }

  private async _fetch(topics: readonly Topic[]): Promise<void> {
    this._asked += 1;
    const asked = this._asked;
    try {
      const parts = await Promise.all(topics.map(topic => this._ask(topic)));
      // Two may be under way at once, and come back in either order
      const current = parts.filter((_, i) => this._isNewest(topics[i], asked));
      const got: Partial<ILabState> = Object.assign({}, ...current);
      const jobs = got.jobs ? newest(got.jobs, this._state.jobs) : this._state.jobs;
      const away = this._state.problem !== null;
      this._replace({ ...got, jobs, connection: 'connected', problem: null, lastSeen: this.now() });
      if (away || this._follower.isBehind) {
        void this._follower.catchUp();
      }
    } catch (error) {
      const connection = isShutOut(error) ? 'refused' : 'lost';
      this._replace({ connection, problem: messageOf(error) });
      throw error; // so that the poll backs off
    }
  }

  private _isNewest(topic: Topic | undefined, asked: number): boolean {
    if (topic === undefined || asked < (this._answered.get(topic) ?? 0)) {
      return false;
    }
    this._answered.set(topic, asked);
    return true;
  }

  /** One topic; my account is asked for by my name, which comes first. */
  private async _ask(topic: Topic): Promise<Partial<ILabState>> {
    if (topic === 'me') {
      return this._askMe();
    }
    const me = topic === 'account' && this._state.me === null ? await this._askMe() : {};
    return fetchTopic(topic, this._request, { ...this._state, ...me }, this.now());
  }

  private _askMe(): Promise<Partial<ILabState>> {
    this._me ??= fetchTopic('me', this._request, this._state, this.now()).finally(() => {
      this._me = undefined;
    });
    return this._me;
  }

  private _replace(changes: Partial<ILabState>): void {
    if (this.isDisposed) {
      return;
    }
    this._state = { ...this._state, ...changes };
    this._frame ??= setTimeout(() => {
      this._frame = undefined;
      this._changed.emit(this._state);
    }, FRAME);
  }

  private _state = UNASKED;
  private _asked = 0;
  private _me: Promise<Partial<ILabState>> | undefined;
  private _polling = false;
  private _frame: ReturnType<typeof setTimeout> | undefined;
  private readonly _answered = new Map<Topic, number>();
  private readonly _stale = new Set<Topic>();
  private readonly _changed = new Signal<ILabManager, ILabState>(this);
  private readonly _follower: EventFollower;
  private readonly _now: () => number;
  private readonly _poll: Poll<void>;
  private readonly _refresher = new Refresher(() => this._fetchStale());
  private readonly _request: LabRequest;
}

export namespace LabManager {
  export interface IOptions {
    readonly request: LabRequest;
    /** Jupyter's event bus. */
    readonly events: EventBus;
    /** The lab's time; by default this computer's. */
    readonly now?: () => number;
    /** When not to re-ask; by default while the page is hidden. */
    readonly standby?: Poll.Standby;
  }
}
