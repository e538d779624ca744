import { endedWithAnother, hasEnded } from '../jobs';
import type { ILabManager, ILabState } from '../tokens';
import type { BookingModel, JobModel } from '../wire';
import { ends, starts } from '../words';

/** A booking whose beginning was noticed later than this is no news any more (ms). */
const LATE = 60_000;
/** The longest that a browser's timer can wait (ms). */
const LONGEST = 2 ** 31 - 1;

export interface INotifications {
  jobEnded(job: JobModel): void;
  bookingBegan(booking: BookingModel): void;
}

const submitted = (job: JobModel) => Date.parse(job.submitted_at);

/** Notices what happens to my jobs and bookings from the state `since` on; what was before is no news. */
export class Notifier {
  constructor(
    private readonly _manager: ILabManager,
    private readonly _tell: INotifications,
    since: ILabState = _manager.state
  ) {
    this._began = Math.max(0, ...since.jobs.map(submitted)) || (since.lastSeen ?? _manager.now());
    _manager.changed.connect(this._onChange, this);
    this._onChange(_manager, since);
    this._onChange(_manager, _manager.state);
  }

  dispose(): void {
    this._manager.changed.disconnect(this._onChange, this);
    clearTimeout(this._timer);
  }

  private _onChange(_: ILabManager, state: ILabState): void {
    for (const job of state.jobs) {
      if (hasEnded(job) && (this._open.delete(job.id) || this._wasUnseen(job))) {
        if (!endedWithAnother(job)) {
          this._tell.jobEnded(job); // for all that end with it
        }
      } else if (!hasEnded(job)) {
        this._open.add(job.id);
      }
    }
    this._listed = new Set(state.jobs.map(job => job.id));
    this._awaitBooking(state.myBookings);
  }

  /** Whether a job began and ended since the state before. */
  private _wasUnseen(job: JobModel): boolean {
    return !this._listed.has(job.id) && submitted(job) > this._began;
  }

  private _awaitBooking(bookings: readonly BookingModel[]): void {
    clearTimeout(this._timer);
    const now = this._manager.now();
    const due = bookings.filter(booking => this._coming.has(booking.id) && starts(booking) <= now);
    for (const booking of due) {
      this._coming.delete(booking.id);
      if (now - starts(booking) < LATE && ends(booking) > now) {
        this._tell.bookingBegan(booking);
      }
    }
    const later = bookings.filter(booking => starts(booking) > now);
    this._coming = new Set(later.map(booking => booking.id));
    if (later.length > 0) {
      const pause = Math.min(...later.map(starts)) - now;
      const again = () => this._awaitBooking(this._manager.state.myBookings);
      this._timer = setTimeout(again, Math.min(pause, LONGEST));
    }
  }

  /** When the newest job was submitted that was there at the beginning. */
  private readonly _began: number;
  private _listed = new Set<string>();
  private _coming = new Set<string>();
  private readonly _open = new Set<string>();
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
