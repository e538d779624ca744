import type { IDisposable } from '@lumino/disposable';

import type { ILabManager } from '../tokens';
import type { EventModel, EventPage } from '../wire';

/** A gap of more events than this is not filled: whoever reads asks for everything anew. */
const MOST = 500;

/** Hands on every event of the lab; those that the bus lost are asked for. */
export class EventReader implements IDisposable {
  constructor(
    private readonly _manager: ILabManager,
    private readonly _to: EventReader.IListener
  ) {
    _manager.events.connect(this._onEvent, this);
    _manager.changed.connect(this._onState, this);
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    this._manager.events.disconnect(this._onEvent, this);
    this._manager.changed.disconnect(this._onState, this);
  }

  private _onEvent(_: unknown, event: EventModel): void {
    const last = this._last;
    this._last = Math.max(last ?? 0, event.seq);
    this._to.heard(event);
    // Less than the last one: what came before it has been pruned from the lab's memory
    if (last !== null && event.seq > last && event.prev !== last) {
      void this._fill(last);
    }
  }

  private _onState(): void {
    const lost = ['lost', 'refused'].includes(this._manager.state.connection);
    if (this._wasLost && !lost) {
      if (this._last === null) {
        this._to.lost();
      } else {
        void this._fill(this._last);
      }
    }
    this._wasLost = lost;
  }

  private async _fill(after: number): Promise<void> {
    try {
      const page = await this._manager.request<EventPage>(`events?after=${after}&limit=${MOST}`);
      if (this._isDisposed) {
        return;
      }
      const [first] = page.events;
      if (page.events.length === MOST || (first && first.prev !== after)) {
        this._last = null;
        this._to.lost();
      } else {
        this._last = Math.max(this._last ?? 0, page.events.at(-1)?.seq ?? after);
        page.events.forEach(event => void this._to.heard(event));
      }
    } catch {
      // The lab is away: when it is back, the manager says so.
      this._wasLost = true;
    }
  }

  private _isDisposed = false;
  private _last: number | null = null;
  private _wasLost = false;
}

export namespace EventReader {
  export interface IListener {
    /** An event; one may come twice, and late. */
    heard(event: EventModel): void;
    /** Too many were missed. */
    lost(): void;
  }
}
