/** How far behind the second that it names an HTTP `Date` may be (ms). */
const SECOND = 1000;

/** The lab's time, told from the `Date` of its answers: this computer's own clock may be wrong. */
export class LabClock {
  constructor(private readonly _local: () => number = Date.now) {}

  /** The lab's present time (ms since 1970). */
  now(): number {
    return this._local() + this._offset;
  }

  /** Learn from the `Date` of an answer to a request that was sent at `sent` (this computer's ms). */
  hear(date: string | null, sent: number): void {
    const said = date === null ? Number.NaN : Date.parse(date);
    if (Number.isNaN(said)) {
      return;
    }
    const [low, high] = [said - this._local(), said + SECOND - sent];
    this._low = Math.max(this._low, low);
    this._high = Math.min(this._high, high);
    if (this._low > this._high) {
      [this._low, this._high] = [low, high]; // one of the clocks was set
    }
    // A clock that may be right is left alone: countdowns then end when the wall clock says so
    this._offset = this._low <= 0 && this._high >= 0 ? 0 : (this._low + this._high) / 2;
  }

  private _low = Number.NEGATIVE_INFINITY;
  private _high = Number.POSITIVE_INFINITY;
  private _offset = 0;
}
