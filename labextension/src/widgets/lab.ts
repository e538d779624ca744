import { EventFollower, type IListener } from '../events';
import { Refresher } from '../refresher';
import { type LabRequest, messageOf } from '../request';
import { at, send } from '../send';
import { StateModel } from '../statemodel';
import type { ILabManager, ILabState } from '../tokens';
import { fetchTopic, type Topic, topicsOf, UNASKED } from '../topics';
import type { JobModel, LabEvent, Me } from '../wire';
import type { Kernel } from './kernel';

/** While events come the lab is asked at most this often (ms). */
const EVERY = 500;

/** What a widget knows of the lab, from its kernel: as much as it needs, and no more. */
export class KernelLab extends StateModel<ILabState> implements ILabManager {
  constructor(
    private readonly _kernel: Kernel,
    private readonly _topics: readonly Topic[]
  ) {
    super(UNASKED);
    this._follower = new EventFollower(_kernel.events, _kernel.request);
    this._follower.follow({
      heard: event => this._heard(event),
      missed: () => this._want(_topics)
    });
    _kernel.away.connect(this._onAway, this);
    this._want(_topics);
  }

  get request(): LabRequest {
    return this._kernel.request;
  }

  now(): number {
    return Date.now();
  }

  follow(listener: IListener): () => void {
    return this._follower.follow(listener);
  }

  async identify(): Promise<Me | null> {
    await this._fetch(['me']);
    return this.state.me;
  }

  async refresh(): Promise<void> {
    await this._fetch(this._topics);
  }

  async cancel(jobId: string): Promise<void> {
    await send<JobModel>(this.request, 'POST', at('jobs', jobId, 'cancel'));
  }

  override dispose(): void {
    this._kernel.away.disconnect(this._onAway, this);
    this._refresher.dispose();
    this._follower.dispose();
    super.dispose();
  }

  private _heard(event: LabEvent): void {
    this._want(topicsOf(event, this.state).filter(topic => this._topics.includes(topic)));
  }

  private _want(topics: readonly Topic[]): void {
    for (const topic of topics) {
      this._stale.add(topic);
      this._refresher.want();
    }
  }

  private async _fetch(topics: readonly Topic[]): Promise<void> {
    try {
      const parts = await Promise.all(
        topics.map(topic => fetchTopic(topic, this.request, this.state, this.now()))
      );
      const seen = { connection: 'connected', problem: null, lastSeen: this.now() } as const;
      this._replace(Object.assign({}, ...parts, seen));
    } catch (error) {
      this._replace({ connection: 'lost', problem: messageOf(error) });
    }
  }

  private _onAway(_: Kernel, problem: string): void {
    if (problem) {
      this._replace({ connection: 'lost', problem });
    } else {
      void this.refresh();
      void this._follower.catchUp();
    }
  }

  private readonly _follower: EventFollower;
  private readonly _refresher = new Refresher(() => {
    const topics = [...this._stale];
    this._stale.clear();
    return this._fetch(topics);
  }, EVERY);
  private readonly _stale = new Set<Topic>();
}
