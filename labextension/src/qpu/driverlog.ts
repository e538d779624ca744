import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import { messageOf } from '../request';
import type { ILabManager } from '../tokens';
import type { DriverLog, DriverLogLine, EventModel } from '../wire';

/** As many lines as the lab keeps. */
const KEPT = 500;
/** What somebody must be allowed to do to read what drivers say: it may name anybody's jobs. */
const PERMISSION = 'qpus:operate';

/** Whether whoever uses this page may read the logs of drivers. */
export function mayReadLogs({ state }: ILabManager): boolean {
  return state.me?.permissions.includes(PERMISSION) ?? false;
}

export interface IDriverLogState {
  /** Oldest first. */
  readonly lines: readonly DriverLogLine[];
  readonly loaded: boolean;
  readonly problem: string | null;
}

/** The last lines of a driver's own log, and what it says from then on: asked for when the lab says that it spoke. */
export class DriverLogModel implements IDisposable {
  constructor(
    private readonly _manager: ILabManager,
    readonly qpu: string,
    readonly driver: string
  ) {
    _manager.events.connect(this._onEvent, this);
    _manager.gap.connect(this._again, this);
    _manager.changed.connect(this._onChanged, this);
  }

  get state(): IDriverLogState {
    return this._state;
  }

  get changed(): ISignal<this, IDriverLogState> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    this._disposed = true;
    this._manager.events.disconnect(this._onEvent, this);
    this._manager.gap.disconnect(this._again, this);
    this._manager.changed.disconnect(this._onChanged, this);
    Signal.clearData(this);
  }

  /** Ask for what is new; of many wishes while an answer is under way one is left. */
  async refresh(): Promise<void> {
    this._wanted = true;
    if (this._busy) {
      return;
    }
    this._busy = true;
    while (this._wanted && !this._disposed) {
      this._wanted = false;
      await this._ask();
    }
    this._busy = false;
  }

  private async _ask(): Promise<void> {
    const place = [this.qpu, this.driver].map(encodeURIComponent).join('/drivers/');
    const after = this._state.lines.at(-1)?.seq ?? 0;
    try {
      const { lines } = await this._manager.request<DriverLog>(`qpus/${place}/log?after=${after}`);
      const all = [...this._state.lines, ...lines].slice(-KEPT);
      this._replace({ lines: all, loaded: true, problem: null });
    } catch (error) {
      this._replace({ ...this._state, problem: messageOf(error) });
    }
  }

  private _onEvent(_: unknown, event: EventModel): void {
    const its = event.qpu === this.qpu && event.data.driver === this.driver;
    if (event.kind === 'driver.logged' && its) {
      this._again();
    }
  }

  private _onChanged(): void {
    const { connection } = this._manager.state;
    if (this._lost && connection === 'connected') {
      this._again();
    }
    this._lost = connection === 'lost';
  }

  private _again(): void {
    void this.refresh();
  }

  private _replace(state: IDriverLogState): void {
    if (!this._disposed) {
      this._state = state;
      this._changed.emit(state);
    }
  }

  private _state: IDriverLogState = { lines: [], loaded: false, problem: null };
  private _busy = false;
  private _wanted = false;
  private _lost = false;
  private _disposed = false;
  private readonly _changed = new Signal<this, IDriverLogState>(this);
}

/** When a line was written, in the reader's time zone and always as wide. */
export function stamp(at: string): string {
  return new Date(at).toLocaleString('sv-SE');
}

/** The lines as a file has them. */
export function plainText(lines: readonly DriverLogLine[]): string {
  return lines
    .flatMap(line => [
      ...(line.dropped ? [`(${line.dropped} lines left out)`] : []),
      `${stamp(line.at)} ${line.level.toUpperCase()} ${line.logger}: ${line.message}`
    ])
    .join('\n');
}
