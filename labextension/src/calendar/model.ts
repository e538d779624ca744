import { Refresher } from '../refresher';
import { at, send } from '../send';
import { StateModel } from '../statemodel';
import type { ILabManager } from '../tokens';
import type {
  BookingChange,
  BookingIn,
  BookingList,
  BookingModel,
  BookingOutline,
  BookingRuleList,
  FeedList,
  FeedModel,
  LabEvent,
  NextFree
} from '../wire';
import { rebookings, type Series } from './draft';
import { type IInterval, refusalOf } from './refusal';

/** If events concern more bookings than this, the whole window is read again. */
const MOST_SINGLE = 12;
const PAGE = 2_000;

/** The calendar as this browser tab last saw it. Never changed, only replaced. */
export interface ICalendarState {
  /** What is booked in the visible window, on every QPU. */
  readonly bookings: readonly BookingModel[];
  readonly loading: boolean;
  /** Why the window could not be read, in the words of whoever refused. */
  readonly problem: string | null;
  readonly rules: BookingRuleList | null;
}

/** The bookings of the window that is shown, and what one may do to them. */
export class CalendarModel extends StateModel<ICalendarState> {
  constructor(private readonly _lab: ILabManager) {
    super({ bookings: [], loading: true, problem: null, rules: null });
    const again = () => {
      void this.refetch();
      void this.fetchRules();
    };
    this._leave = _lab.follow({ heard: event => this._heard(event), missed: again, back: again });
  }

  get me(): string {
    return this._lab.state.me?.user.name ?? '';
  }

  get manages(): boolean {
    return this._lab.state.me?.permissions.includes('bookings:write:any') ?? false;
  }

  /** The lab's present time (ms since 1970). */
  now(): number {
    return this._lab.now();
  }

  /** Whether one may change this booking; the lab has the last word. */
  editable(booking: BookingModel): boolean {
    return this.manages || booking.booked_by === this.me;
  }

  /** What the rules are; without an answer those that are known stay. */
  async fetchRules(): Promise<void> {
    try {
      this._replace({ rules: await this._lab.request<BookingRuleList>('booking-rules') });
    } catch {
      // What is unknown only hides a choice: the lab has the last word
    }
  }

  /** Show a window; one that is part of what is kept up to date anyhow costs nothing. */
  async show(window: IInterval): Promise<void> {
    const known = this._window;
    if (known === null || this.state.problem !== null || !covers(known, window)) {
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
    const made = await send<BookingList>(this._lab.request, 'POST', 'bookings', request);
    this._merge(made.bookings);
    return made;
  }

  /** Change a booking, or more of its series by as much; how it is now. */
  async change(id: string, change: BookingChange, series: Series = 'this'): Promise<BookingModel> {
    const changed = await send<BookingModel>(
      this._lab.request,
      'PATCH',
      `${at('bookings', id)}?series=${series}`,
      change
    );
    this._merge([changed]); // the lab tells of the others
    return changed;
  }

  async release(id: string): Promise<void> {
    this._merge([
      await send<BookingModel>(this._lab.request, 'POST', `${at('bookings', id)}/release`)
    ]);
  }

  /** Delete a booking, or more of its series; what was deleted. */
  async remove(id: string, series: Series = 'this'): Promise<readonly BookingModel[]> {
    const { bookings } = await send<BookingList>(
      this._lab.request,
      'DELETE',
      `${at('bookings', id)}?series=${series}`
    );
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
    return send<FeedModel>(this._lab.request, 'POST', 'feeds', qpu === null ? {} : { qpu });
  }

  async endFeed(id: string): Promise<FeedList> {
    return send<FeedList>(this._lab.request, 'DELETE', at('feeds', id));
  }

  override dispose(): void {
    this._leave();
    this._refresher.dispose();
    super.dispose();
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

  private _heard(event: LabEvent): void {
    if (event.kind === 'booking_rule.changed') {
      void this.fetchRules();
    } else if (event.kind === 'booking.changed') {
      const { after, before, booking_id: id } = event.data;
      if (this._touches(before) || this._touches(after)) {
        this._stale.add(id);
        this._catchUp();
      }
    }
  }

  /** Ask soon about the bookings that events named; not while the window is read, which would be older. */
  private _catchUp(): void {
    if (this._stale.size > 0 && !this.state.loading) {
      this._refresher.want();
    }
  }

  private async _fetchStale(): Promise<void> {
    if (!this.state.loading) {
      await (this._stale.size > MOST_SINGLE ? this.refetch() : this._fetchEach([...this._stale]));
    }
  }

  private async _fetchEach(ids: readonly string[]): Promise<void> {
    const turn = this._turn;
    this._stale.clear();
    try {
      const found = await Promise.all(
        ids.map(id => this._lab.request<BookingModel>(at('bookings', id)))
      );
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
    const known = new Map(this.state.bookings.map(booking => [booking.id, booking]));
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

  private _touches(side: BookingOutline | null): boolean {
    return side !== null && this._window !== null && overlaps(side, this._window);
  }

  private _turn = 0;
  private _window: IInterval | null = null;
  private readonly _leave: () => void;
  private readonly _refresher = new Refresher(() => this._fetchStale());
  private readonly _stale = new Set<string>();
}

function covers(whole: IInterval, part: IInterval): boolean {
  return (
    Date.parse(whole.start_at) <= Date.parse(part.start_at) &&
    Date.parse(whole.end_at) >= Date.parse(part.end_at)
  );
}

/** Whether a booking, or what an event says of one, shares a moment with `window`. */
export function overlaps(side: IInterval, window: IInterval): boolean {
  return (
    Date.parse(side.start_at) < Date.parse(window.end_at) &&
    Date.parse(side.end_at) > Date.parse(window.start_at)
  );
}
