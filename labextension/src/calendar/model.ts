import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import type { ILabManager, ILabState } from '../tokens';
import type {
  BookingChange,
  BookingIn,
  BookingList,
  BookingModel,
  BookingRuleList,
  EventModel,
  FeedList,
  FeedModel,
  Me,
  NextFree
} from '../wire';
import { rebookings, type Series } from './draft';
import { type IInterval, refusalOf } from './refusal';

/** Events that come closer together than this are asked about together (ms)... */
const SETTLE = 30;
/** ...one booking at a time; if they concern more than this, the whole window is read again. */
const MOST_SINGLE = 12;
/** Asking takes no more than one part in this many of the time, however many events there are. */
const SHARE = 3;
const PAGE = 2_000;

/** The calendar as this browser tab last saw it. Never changed, only replaced. */
export interface ICalendarState {
  /** What is booked in the visible window, on every QPU. */
  readonly bookings: readonly BookingModel[];
  readonly loading: boolean;
  /** Why the window could not be read, in the words of whoever refused. */
  readonly problem: string | null;
  readonly me: Me | null;
  readonly rules: BookingRuleList | null;
}

/** The bookings of the window that is shown, and what one may do to them. */
export class CalendarModel implements IDisposable {
  constructor(private readonly _lab: ILabManager) {
    this._connection = _lab.state.connection;
    _lab.events.connect(this._onEvent, this);
    _lab.gap.connect(this._onGap, this);
    _lab.changed.connect(this._onLab, this);
  }

  get state(): ICalendarState {
    return this._state;
  }

  get changed(): ISignal<CalendarModel, ICalendarState> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  get me(): string {
    return this._state.me?.user.name ?? '';
  }

  get manages(): boolean {
    return this._state.me?.permissions.includes('bookings:write:any') ?? false;
  }

  /** The lab's present time (ms since 1970). */
  now(): number {
    return this._lab.now();
  }

  /** Whether one may change this booking; the lab has the last word. */
  editable(booking: BookingModel): boolean {
    return this.manages || booking.booked_by === this.me;
  }

  /** Who one is and what the rules are. What fails here only hides a choice. */
  async introduce(): Promise<void> {
    const [me, rules] = await Promise.allSettled([
      this._lab.request<Me>('me'),
      this._lab.request<BookingRuleList>('booking-rules')
    ]);
    this._replace({
      me: me.status === 'fulfilled' ? me.value : this._state.me,
      rules: rules.status === 'fulfilled' ? rules.value : this._state.rules
    });
  }

  /** Show a window; one that is part of what is kept up to date anyhow costs nothing. */
  async show(window: IInterval): Promise<void> {
    const known = this._window;
    if (known === null || this._state.problem !== null || !covers(known, window)) {
      this._window = window;
      await this.refetch();
    }
  }

  /** Read the window again; an answer that another request has overtaken is dropped. */
  async refetch(): Promise<void> {
    const window = this._window;
    if (window === null || this.isDisposed) {
      return;
    }
    this._turn += 1;
    const turn = this._turn;
    this._stale.clear();
    this._replace({ loading: true });
    try {
      const bookings = await this._read(window);
      if (turn === this._turn) {
        this._replace({ bookings, loading: false, problem: null });
      }
    } catch (error) {
      if (turn === this._turn) {
        this._replace({ loading: false, problem: refusalOf(error).message });
      }
    }
    if (turn === this._turn) {
      this._catchUp(); // with what has changed while it was read
    }
  }

  async book(request: BookingIn): Promise<BookingList> {
    const made = await this._send<BookingList>('bookings', 'POST', request);
    this._merge(made.bookings);
    return made;
  }

  /** Change a booking, or more of its series by as much; how it is now. */
  async change(id: string, change: BookingChange, series: Series = 'this'): Promise<BookingModel> {
    const changed = await this._send<BookingModel>(`${at(id)}?series=${series}`, 'PATCH', change);
    this._merge([changed]); // the lab tells of the others
    return changed;
  }

  async release(id: string): Promise<void> {
    this._merge([await this._send<BookingModel>(`${at(id)}/release`, 'POST')]);
  }

  /** Delete a booking, or more of its series; what was deleted. */
  async remove(id: string, series: Series = 'this'): Promise<readonly BookingModel[]> {
    const { bookings } = await this._send<BookingList>(`${at(id)}?series=${series}`, 'DELETE');
    this._merge(bookings);
    return bookings;
  }

  /** Book again what was deleted. Where somebody has the time by now, the others come back all the same. */
  async restore(deleted: readonly BookingModel[]): Promise<void> {
    let refused: unknown = null;
    for (const request of rebookings(deleted, this.me)) {
      try {
        await this.book(request);
      } catch (error) {
        refused ??= error;
      }
    }
    if (refused !== null) {
      throw refused;
    }
  }

  /** The earliest free interval of that length on any of these QPUs. */
  async nextFree(qpus: readonly string[], seconds: number, after: string): Promise<NextFree> {
    const asked = qpus.map(qpu => {
      const query = new URLSearchParams({ qpu, seconds: String(seconds), after });
      return this._lab.request<NextFree>(`bookings/next-free?${query}`);
    });
    const answers = await Promise.allSettled(asked);
    const found = answers.flatMap(a => (a.status === 'fulfilled' ? [a.value] : []));
    found.sort((one, other) => Date.parse(one.start_at) - Date.parse(other.start_at));
    const [first] = found;
    if (first === undefined) {
      throw answers.find(a => a.status === 'rejected')?.reason;
    }
    return first;
  }

  async feeds(): Promise<FeedList> {
    return this._lab.request<FeedList>('feeds');
  }

  /** A new feed, of one QPU or of one's own bookings; only this answer has its address. */
  async addFeed(qpu: string | null): Promise<FeedModel> {
    return this._send<FeedModel>('feeds', 'POST', qpu === null ? {} : { qpu });
  }

  async endFeed(id: string): Promise<FeedList> {
    return this._send<FeedList>(`feeds/${encodeURIComponent(id)}`, 'DELETE');
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._lab.events.disconnect(this._onEvent, this);
    this._lab.gap.disconnect(this._onGap, this);
    this._lab.changed.disconnect(this._onLab, this);
    clearTimeout(this._settling);
    this._disposed = true;
    Signal.clearData(this);
  }

  private async _read({ start_at, end_at }: IInterval): Promise<BookingModel[]> {
    const found: BookingModel[] = [];
    let after: string | null = null;
    do {
      const query = new URLSearchParams({ start: start_at, end: end_at, status: 'booked' });
      query.set('limit', String(PAGE));
      if (after !== null) {
        query.set('after', after);
      }
      const page: BookingList = await this._lab.request<BookingList>(`bookings?${query}`);
      found.push(...page.bookings);
      after = page.next;
    } while (after !== null);
    return found;
  }

  private _send<T>(path: string, method: string, body?: object): Promise<T> {
    return this._lab.request<T>(path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    });
  }

  private _onEvent(_: ILabManager, event: EventModel): void {
    const id = event.data.booking_id;
    if (event.kind === 'booking.changed' && typeof id === 'string' && this._touches(event)) {
      this._stale.add(id);
      this._catchUp();
    }
  }

  private _onGap(): void {
    void this.refetch();
  }

  /** After a time without connection anything may have changed. */
  private _onLab(_: ILabManager, { connection }: ILabState): void {
    if (connection === 'connected' && this._connection !== 'connected') {
      void this.refetch();
    }
    this._connection = connection;
  }

  /** Ask soon about the bookings that events named; not while the window is read, which would be older. */
  private _catchUp(): void {
    if (this._stale.size > 0 && !this._state.loading) {
      const pause = Math.max(SETTLE, this._restUntil - performance.now());
      this._settling ??= setTimeout(() => void this._fetchStale(), pause);
    }
  }

  private async _fetchStale(): Promise<void> {
    const start = performance.now();
    await (this._stale.size > MOST_SINGLE ? this.refetch() : this._fetchEach([...this._stale]));
    const end = performance.now();
    this._restUntil = end + (SHARE - 1) * (end - start);
    this._settling = undefined;
    this._catchUp();
  }

  private async _fetchEach(ids: readonly string[]): Promise<void> {
    const turn = this._turn;
    this._stale.clear();
    try {
      const found = await Promise.all(ids.map(id => this._lab.request<BookingModel>(at(id))));
      if (turn === this._turn) {
        this._merge(found);
      }
    } catch (error) {
      this._replace({ problem: refusalOf(error).message });
    }
  }

  /** Put what is newer into the window; what is given up, or elsewhere by now, leaves it. */
  private _merge(found: readonly BookingModel[]): void {
    const window = this._window;
    const known = new Map(this._state.bookings.map(booking => [booking.id, booking]));
    for (const booking of found) {
      if ((known.get(booking.id)?.version ?? 0) > booking.version) {
        continue;
      }
      known.delete(booking.id);
      if (booking.status === 'booked' && window !== null && overlaps(booking, window)) {
        known.set(booking.id, booking);
      }
    }
    this._replace({ bookings: [...known.values()] });
  }

  /** Whether the booking was, or is now, in the window. */
  private _touches({ data }: EventModel): boolean {
    const window = this._window;
    return window !== null && [data.before, data.after].some(side => overlaps(side, window));
  }

  private _replace(changes: Partial<ICalendarState>): void {
    if (!this.isDisposed) {
      this._state = { ...this._state, ...changes };
      this._changed.emit(this._state);
    }
  }

  private _state: ICalendarState = {
    bookings: [],
    loading: true,
    problem: null,
    me: null,
    rules: null
  };
  private _connection: ILabState['connection'];
  private _disposed = false;
  private _restUntil = 0;
  private _settling: ReturnType<typeof setTimeout> | undefined;
  private _turn = 0;
  private _window: IInterval | null = null;
  private readonly _changed = new Signal<CalendarModel, ICalendarState>(this);
  private readonly _stale = new Set<string>();
}

function at(id: string): string {
  return `bookings/${encodeURIComponent(id)}`;
}

function covers(whole: IInterval, part: IInterval): boolean {
  return (
    Date.parse(whole.start_at) <= Date.parse(part.start_at) &&
    Date.parse(whole.end_at) >= Date.parse(part.end_at)
  );
}

/** Whether a booking, or what an event says of one, shares a moment with `window`. */
export function overlaps(side: unknown, window: IInterval): boolean {
  const { start_at, end_at } = (side ?? {}) as Partial<IInterval>;
  return (
    start_at !== undefined &&
    end_at !== undefined &&
    Date.parse(start_at) < Date.parse(window.end_at) &&
    Date.parse(end_at) > Date.parse(window.start_at)
  );
}
