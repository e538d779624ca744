import type { Event } from '@jupyterlab/services';
import type { ISignal } from '@lumino/signaling';

import type { LabRequest } from './request';
import { type EventPage, LAB_EVENTS, type LabEvent } from './wire';

/** Jupyter's event bus. */
export type EventBus = ISignal<unknown, Event.Emission>;

/** Who is told of the lab's events. */
export interface IListener {
  /** Something has happened; it may be told twice, and late. */
  heard(event: LabEvent): void;
  /** More has happened than can be told: what one keeps is to be asked for anew. */
  missed(): void;
  /** The lab answers again, and what happened meanwhile was told. */
  back?(): void;
}

/** A gap of more events than this is not filled. */
const MOST = 500;

/** Follows the lab's events for the whole page: hands each on, and asks for those that the bus lost. */
export class EventFollower {
  constructor(
    private readonly _bus: EventBus,
    private readonly _request: LabRequest
  ) {
    _bus.connect(this._onEmission, this);
  }

  /** Whether a gap could not be filled yet. */
  get isBehind(): boolean {
    return this._gap !== null;
  }

  /** Tell `listener` from now on, until the answer is called. */
  follow(listener: IListener): () => void {
    this._listeners.add(listener);
    return () => void this._listeners.delete(listener);
  }

  /** Ask for what happened while the lab did not answer. */
  async catchUp(): Promise<void> {
    const after = this._gap ?? this._last;
    this._gap = null;
    if (after === null) {
      this._miss();
    } else if (await this._fill(after)) {
      this._tell(listener => listener.back?.());
    }
  }

  dispose(): void {
    this._bus.disconnect(this._onEmission, this);
    this._listeners.clear();
  }

  private _onEmission(_: unknown, emission: Event.Emission): void {
    if (emission.schema_id !== LAB_EVENTS) {
      return;
    }
    const event = emission as unknown as LabEvent;
    const last = this._last;
    // The bus may be behind what was asked for
    const repeated = last !== null && event.seq <= last && event.seq > this._filledFrom;
    this._last = repeated ? last : event.seq;
    this._tell(listener => listener.heard(event));
    if (last !== null && !repeated && event.prev !== last) {
      if (event.seq > last) {
        void this._fill(last);
      } else {
        this._miss(); // the lab has begun anew
      }
    }
  }

  /** Tell what happened after `after`; whether that was everything. */
  private async _fill(after: number): Promise<boolean> {
    const known = this._last ?? after;
    const path = `events?after=${after}&limit=${MOST}`;
    const page = await this._request<EventPage>(path).catch(() => null);
    if (page === null) {
      this._gap = Math.min(after, this._gap ?? after); // the lab is away
      return false;
    }
    const { events } = page;
    const end = events.at(-1)?.seq ?? after;
    if ((events[0]?.prev ?? after) !== after || end < known) {
      this._miss();
      return false;
    }
    this._filledFrom = after;
    this._last = Math.max(this._last ?? 0, end);
    for (const event of events) {
      this._tell(listener => listener.heard(event));
    }
    return true;
  }

  private _miss(): void {
    this._last = this._gap = null;
    this._tell(listener => listener.missed());
  }

  private _tell(how: (listener: IListener) => void): void {
    for (const listener of this._listeners) {
      try {
        how(listener);
      } catch (error) {
        queueMicrotask(() => {
          throw error; // the page's error, and no reason not to tell the others
        });
      }
    }
  }

  private _filledFrom = Number.POSITIVE_INFINITY;
  /** The last event before a gap that could not be filled. */
  private _gap: number | null = null;
  private _last: number | null = null;
  private readonly _listeners = new Set<IListener>();
}
