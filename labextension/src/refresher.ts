/** A wish waits so long for others that come together with it (ms). */
const SETTLE = 30;
/** Asking takes no more than one part in this many of the time. */
const SHARE = 3;

/** Asks the lab anew for what has changed: once for many wishes, however many there are. */
export class Refresher {
  /**
   * @param _ask - asks; what it could not have it says itself
   * @param _every - the least time from one question to the next (ms)
   */
  constructor(
    private readonly _ask: () => Promise<unknown>,
    private readonly _every = 0
  ) {}

  /** Ask soon, or again if that is under way. */
  want(): void {
    this._wanted = true;
    if (this._timer === undefined && !this._disposed) {
      const pause = Math.max(SETTLE, this._restUntil - performance.now());
      this._timer = setTimeout(() => void this._run(), pause);
    }
  }

  dispose(): void {
    this._disposed = true;
    clearTimeout(this._timer);
  }

  private async _run(): Promise<void> {
    this._wanted = false;
    const start = performance.now();
    await this._ask().catch(() => undefined);
    const end = performance.now();
    this._restUntil = Math.max(start + this._every, end + (SHARE - 1) * (end - start));
    this._timer = undefined;
    if (this._wanted) {
      this.want();
    }
  }

  private _disposed = false;
  private _restUntil = 0;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _wanted = false;
}
