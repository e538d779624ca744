import { type ISignal, Signal } from '@lumino/signaling';

import type { LabRequest } from '../request';
import { at, send } from '../send';

/** So long a deletion can be undone (ms). A page that is closed earlier deletes nothing. */
export const GRACE = 8_000;

/** Jobs that are about to be deleted: out of sight at once, out of the lab a little later. */
export class Bin {
  constructor(private readonly _request: LabRequest) {}

  /** A job came into the bin or left it. */
  get changed(): ISignal<Bin, string> {
    return this._changed;
  }

  has(id: string): boolean {
    return this._waiting.has(id);
  }

  /** Put a job in; rejects with the lab's reason if it will not delete it, and it is back then. */
  async put(id: string): Promise<void> {
    const undone = await new Promise<boolean>(resolve => {
      const timer = setTimeout(() => resolve(false), GRACE);
      this._waiting.set(id, () => {
        clearTimeout(timer);
        resolve(true);
      });
      this._changed.emit(id);
    });
    try {
      if (!undone) {
        await send(this._request, 'DELETE', at('jobs', id));
      }
    } finally {
      this._waiting.delete(id);
      this._changed.emit(id);
    }
  }

  undo(id: string): void {
    this._waiting.get(id)?.();
  }

  private readonly _changed = new Signal<Bin, string>(this);
  private readonly _waiting = new Map<string, () => void>();
}
