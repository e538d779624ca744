import type { IDisposable } from '@lumino/disposable';
import { Debouncer } from '@lumino/polling';
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
import { rebookings } from './draft';
import { type IInterval, refusalOf } from './refusal';

/** Events that come closer together than this are one refetch (ms). */
const SETTLE = 100;
const PAGE = 2_000;

export type Series = 'this' | 'following' | 'all';

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
    this._settle = new Debouncer(() => this.refetch(), SETTLE);
    this._connection = _lab.state.connection;
    _lab.events.connect(this._onEvent, this);
    _lab.changed.connect(this._onLab, this);
  }

  get state(): ICalendarState {
    return this._state;
  }

  get changed(): ISignal<CalendarModel, ICalendarState> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._settle.isDisposed;
  }

  get me(): string {
    return this._state.me?.user.name ?? '';
  }

  get manages(): boolean {
    return this._state.me?.permissions.includes('bookings:write:any') ?? false;
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

  /** Show another window. */
  async show(window: IInterval): Promise<void> {
    this._window = window;
    await this.refetch();
  }

  /** Read the visible window again; an answer that another request has overtaken is dropped. */
  async refetch(): Promise<void> {
    const window = this._window;
    if (window === null || this.isDisposed) {
      return;
    }
    this._turn += 1;
    const turn = this._turn;
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
  }

  async book(request: BookingIn): Promise<BookingList> {
    const made = await this._send<BookingList>('bookings', 'POST', request);
    await this.refetch();
    return made;
  }

  async change(id: string, change: BookingChange): Promise<BookingModel> {
    const changed = await this._send<BookingModel>(at(id), 'PATCH', change);
    await this.refetch();
    return changed;
  }

  async release(id: string): Promise<void> {
    await this._send<BookingModel>(`${at(id)}/release`, 'POST');
    await this.refetch();
  }

  /** Delete a booking, or more of its series; what was deleted. */
  async remove(id: string, series: Series = 'this'): Promise<readonly BookingModel[]> {
    const { bookings } = await this._send<BookingList>(`${at(id)}?series=${series}`, 'DELETE');
    await this.refetch();
    return bookings;
  }

  /** Book again what was deleted. Where somebody has the time by now, the others come back all the same. */
  async restore(deleted: readonly BookingModel[]): Promise<void> {
    let refused: unknown = null;
    for (const request of rebookings(deleted, this.me)) {
      try {
        await this._send<BookingList>('bookings', 'POST', request);
      } catch (error) {
        refused ??= error;
      }
    }
    await this.refetch();
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
    this._lab.changed.disconnect(this._onLab, this);
    this._settle.dispose();
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
    const missed = this._seen !== null && event.prev > this._seen;
    this._seen = event.seq;
    if (missed || (event.kind === 'booking.changed' && this._touches(event))) {
      this._settle.invoke().catch(() => undefined); // rejects only when disposed of
    }
  }

  /** After a time without connection anything may have changed. */
  private _onLab(_: ILabManager, { connection }: ILabState): void {
    if (connection === 'connected' && this._connection !== 'connected') {
      this._settle.invoke().catch(() => undefined);
    }
    this._connection = connection;
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
  private _seen: number | null = null;
  private _turn = 0;
  private _window: IInterval | null = null;
  private readonly _changed = new Signal<CalendarModel, ICalendarState>(this);
  private readonly _settle: Debouncer<void>;
}

function at(id: string): string {
  return `bookings/${encodeURIComponent(id)}`;
}

/** Whether what an event says of a booking shares a moment with `window`. */
function overlaps(side: unknown, window: IInterval): boolean {
  const { start_at, end_at } = (side ?? {}) as Partial<IInterval>;
  return (
    start_at !== undefined &&
    end_at !== undefined &&
    Date.parse(start_at) < Date.parse(window.end_at) &&
    Date.parse(end_at) > Date.parse(window.start_at)
  );
}
