import type { Event } from '@jupyterlab/services';
import { Debouncer, Poll } from '@lumino/polling';
import { type ISignal, Signal } from '@lumino/signaling';

import type { LabRequest } from './request';
import type { ILabManager, ILabState } from './tokens';
import { type EventModel, type JobModel, type JobPage, LAB_EVENTS, type QpuList } from './wire';

/** Events that come closer together than this are one refresh (ms). */
const SETTLE = 100;
/** The bus may lose an event, so the lab is also asked this often while the page is visible (ms). */
const REASK = 15_000;
const REASK_WHEN_LOST = { interval: REASK, backoff: 1.5, max: 60_000 };
const JOBS_SHOWN = 20;

/** Refetches the lab's QPUs and jobs whenever an event says that something changed. */
export class LabManager implements ILabManager {
  constructor(options: LabManager.IOptions) {
    this._request = options.request;
    this._bus = options.events;
    this._poll = new Poll({
      name: 'qpi-jupyter:lab',
      factory: () => this._fetch(),
      frequency: REASK_WHEN_LOST,
      standby: options.standby ?? 'when-hidden'
    });
    this._settle = new Debouncer(() => this.refresh(), SETTLE);
    this._bus.connect(this._onEvent, this);
  }

  get state(): ILabState {
    return this._state;
  }

  get changed(): ISignal<ILabManager, ILabState> {
    return this._changed;
  }

  get events(): ISignal<ILabManager, EventModel> {
    return this._heard;
  }

  get request(): LabRequest {
    return this._request;
  }

  get isDisposed(): boolean {
    return this._poll.isDisposed;
  }

  async refresh(): Promise<void> {
    if (this._asking) {
      await this._poll.tick; // the answer under way may be older than the reason to ask
    }
    await this._poll.refresh();
    await this._poll.tick;
  }

  async cancel(jobId: string): Promise<void> {
    await this._request<JobModel>(`jobs/${encodeURIComponent(jobId)}/cancel`, { method: 'POST' });
    await this.refresh();
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._bus.disconnect(this._onEvent, this);
    this._settle.dispose();
    this._poll.dispose();
    Signal.clearData(this);
  }

  private _onEvent(_: unknown, event: Event.Emission): void {
    if (event.schema_id === LAB_EVENTS) {
      this._heard.emit(event as unknown as EventModel);
      this._settle.invoke().catch(() => undefined); // rejects only when disposed of
    }
  }

  private async _fetch(): Promise<void> {
    this._asking = true;
    try {
      const [qpus, jobs] = await Promise.all([
        this._request<QpuList>('qpus'),
        this._request<JobPage>(`jobs?mine=true&limit=${JOBS_SHOWN}`)
      ]);
      this._replace({ connection: 'connected', problem: null, qpus: qpus.qpus, jobs: jobs.jobs });
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      this._replace({ ...this._state, connection: 'lost', problem });
      throw error; // so that the poll backs off
    } finally {
      this._asking = false;
    }
  }

  private _replace(state: ILabState): void {
    if (!this.isDisposed) {
      this._state = state;
      this._changed.emit(state);
    }
  }

  private _state: ILabState = { connection: 'connecting', problem: null, qpus: [], jobs: [] };
  private _asking = false;
  private readonly _changed = new Signal<ILabManager, ILabState>(this);
  private readonly _bus: LabManager.Events;
  private readonly _heard = new Signal<ILabManager, EventModel>(this);
  private readonly _poll: Poll<void>;
  private readonly _request: LabRequest;
  private readonly _settle: Debouncer<void>;
}

export namespace LabManager {
  export type Events = ISignal<unknown, Event.Emission>;

  export interface IOptions {
    readonly request: LabRequest;
    /** Jupyter's event bus. */
    readonly events: Events;
    /** When not to re-ask; by default while the page is hidden. */
    readonly standby?: Poll.Standby;
  }
}
