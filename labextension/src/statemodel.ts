import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

/** Keeps a state that is never changed, only replaced. */
export abstract class StateModel<T extends object> implements IDisposable {
  constructor(private _state: T) {}

  get state(): T {
    return this._state;
  }

  /** Emitted after `state` was replaced. */
  get changed(): ISignal<this, T> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  protected _replace(changes: Partial<T>): void {
    if (!this._isDisposed) {
      this._state = { ...this._state, ...changes };
      this._changed.emit(this._state);
    }
  }

  private _isDisposed = false;
  private readonly _changed = new Signal<this, T>(this);
}
