import type { TranslationBundle } from '@jupyterlab/translation';
import { StateModel } from '../statemodel';
import type { BookingModel } from '../wire';
import { type Day, dayAt, turned, type View } from './days';
import { byClock, changeOf, draftOf, type IDraft, newDraft, requestOf, type Series } from './draft';
import type { IHabits } from './memory';
import type { CalendarModel } from './model';
import { type IInterval, type IRefusal, refusalOf, reworded } from './refusal';
import { intervalText, labelsOf, titleOf } from './words';
import { ownZone, roundedUp, wallTime } from './zones';

const HOUR_S = 3_600;
/** The next free hour begins on such a step, so that its ends are times that people say. */
const ROUND_TO_MINUTES = 5;

/** Tells of something that was done; `undo` takes it back, where that can be. */
export type Teller = (said: string, undo?: () => void) => void;

/** A refusal with what would book the offered interval instead. */
export interface IOffer extends IRefusal {
  readonly take: (instead: IInterval) => Promise<void>;
}

/** Something that is about to be done to a booking that repeats, once it is said to how much of its series. */
interface IQuestion {
  readonly action: 'delete' | 'move';
  readonly booking: BookingModel;
  readonly take: (series: Series) => void;
  /** Leave everything as it is. */
  readonly leave: () => void;
}

/** What a person looks at, and is about to do. Never changed, only replaced. */
export interface IControllerState {
  readonly view: View;
  /** A day of the page that is shown. */
  readonly day: Day;
  /** The IANA name of the clock that is shown. */
  readonly zone: string;
  /** The QPUs that are filtered out. */
  readonly hidden: readonly string[];
  /** What is in the booking dialog; null: it is closed. */
  readonly draft: IDraft | null;
  /** Why the last thing was not done. */
  readonly refusal: IOffer | null;
  readonly question: IQuestion | null;
  readonly busy: boolean;
  /** The booking that is to come into view; null once it has. */
  readonly sought: string | null;
}

/** Carries out what a person does in the calendar, and tells them what came of it. */
export class CalendarController extends StateModel<IControllerState> {
  constructor(
    readonly model: CalendarModel,
    private readonly _trans: TranslationBundle,
    private readonly _tell: Teller,
    { view = 'week', zone, hidden = [] }: Partial<IHabits> = {}
  ) {
    const clock = zone ?? ownZone();
    const day = dayAt(model.now(), clock);
    super({
      view,
      day,
      zone: clock,
      hidden,
      draft: null,
      refusal: null,
      question: null,
      busy: false,
      sought: null
    });
  }

  /** What is worth remembering until the next time. */
  get habits(): IHabits {
    const { view, zone, hidden } = this.state;
    return { view, hidden, zone: zone === ownZone() ? null : zone };
  }

  setView(view: View): void {
    this._replace({ view });
  }

  /** Show the page of that day. */
  goTo(day: Day): void {
    if (day !== this.state.day) {
      this._replace({ day });
    }
  }

  /** The booking that was sought is in view. */
  found(): void {
    this._replace({ sought: null });
  }

  goToday(): void {
    this.goTo(dayAt(this.model.now(), this.state.zone));
  }

  turn(pages: number): void {
    this.goTo(turned(this.state.view, this.state.day, pages));
  }

  /** Show another clock; what is being typed stays, as the other clock has it. */
  setZone(zone: string): void {
    const { draft, zone: before } = this.state;
    this._replace({ zone, draft: draft && byClock(draft, before, zone) });
  }

  setHidden(hidden: readonly string[]): void {
    this._replace({ hidden });
  }

  /** Open the dialog for a new booking; what has passed of it is left out. */
  draw(qpu: string, { start_at, end_at }: IInterval): void {
    const now = this.model.now();
    if (Date.parse(end_at) <= now && !this.model.manages) {
      this._refuse(this._trans.__('This time has passed. Choose a later one.'));
      return;
    }
    const from =
      Date.parse(start_at) < now && !this.model.manages
        ? roundedUp(new Date(now), ROUND_TO_MINUTES)
        : start_at;
    const { zone } = this.state;
    const draft = newDraft(qpu, wallTime(from, zone), wallTime(end_at, zone));
    this._replace({ draft, refusal: null });
  }

  /** Open the dialog with a booking: to edit it, or to read it. */
  open(booking: BookingModel): void {
    this._replace({ draft: draftOf(booking, this.state.zone), refusal: null });
  }

  edit(changes: Partial<IDraft>): void {
    const { draft } = this.state;
    if (draft !== null) {
      this._replace({ draft: { ...draft, ...changes } });
    }
  }

  /** Close what is open, and forget the last refusal. */
  dismiss(): void {
    this.state.question?.leave();
    this._replace({ draft: null, refusal: null, question: null });
  }

  /** Send what the dialog holds. It stays open, with all that was typed, while the lab refuses. */
  async save(): Promise<void> {
    const { draft, zone } = this.state;
    if (draft === null) {
      return;
    }
    const take = (instead: IInterval) => {
      const start = wallTime(instead.start_at, zone);
      this._replace({ draft: { ...draft, start, end: wallTime(instead.end_at, zone) } });
      return this.save();
    };
    await this._try(take, async () => {
      await this._send(draft, zone);
      this._replace({ draft: null });
    });
  }

  /** Move or resize a booking; one that repeats only after asking how much of its series. */
  async move(booking: BookingModel, interval: IInterval, revert = () => {}): Promise<void> {
    if (booking.series_id === null) {
      return this._move(booking, interval, 'this', revert);
    }
    const take = (series: Series) => {
      this._replace({ question: null });
      void this._move(booking, interval, series, revert);
    };
    this._replace({ question: { action: 'move', booking, take, leave: revert } });
  }

  /** Delete a booking; one that repeats only after asking how much of its series. */
  async remove(booking: BookingModel): Promise<void> {
    if (booking.series_id === null) {
      return this._remove(booking, 'this');
    }
    const take = (series: Series) => {
      this._replace({ question: null });
      void this._remove(booking, series);
    };
    const question: IQuestion = { action: 'delete', booking, take, leave: () => {} };
    this._replace({ question, draft: null });
  }

  async release(booking: BookingModel): Promise<void> {
    await this._try(null, async () => {
      await this.model.release(booking.id);
      this._replace({ draft: null });
      this._tell(this._trans.__('Released the rest of “%1”.', this._title(booking)));
    });
  }

  /** Book the first free hour on any of `qpus`, by the lab's clock, and show it. */
  async bookNextHour(qpus: readonly string[]): Promise<void> {
    await this._try(null, async () => {
      const after = roundedUp(new Date(this.model.now()), ROUND_TO_MINUTES);
      const { qpu, start_at, end_at } = await this.model.nextFree(qpus, HOUR_S, after);
      const { bookings } = await this.model.book({ qpu, start_at, end_at });
      const { zone } = this.state;
      this.goTo(dayAt(Date.parse(start_at), zone));
      this._replace({ sought: bookings[0]?.id ?? null });
      const when = intervalText({ start_at, end_at }, zone);
      this._withUndo(this._trans.__('Booked %1: %2.', qpu, when), async () => {
        for (const { id } of bookings) {
          await this.model.remove(id);
        }
      });
    });
  }

  private async _send(draft: IDraft, zone: string): Promise<void> {
    const trans = this._trans;
    const incomplete = () => new Error(trans.__('Enter a start and an end.'));
    if (draft.booking !== null) {
      const change = changeOf(draft, zone);
      if (change === null) {
        throw incomplete();
      }
      await this.model.change(draft.booking.id, change, draft.series);
      return;
    }
    const request = requestOf(draft, zone);
    if (request === null) {
      throw incomplete();
    }
    const { bookings, cut_at } = await this.model.book(request);
    if (bookings.length > 1) {
      const many = trans._n('Booked once.', 'Booked %1 times.', bookings.length);
      const cut = cut_at === null ? '' : trans.__('You cannot book further ahead.');
      this._tell([many, cut].filter(Boolean).join(' '));
    }
  }

  /** `revert` puts the booking back where the lab says no. */
  private async _move(
    booking: BookingModel,
    { start_at, end_at }: IInterval,
    series: Series,
    revert: () => void
  ): Promise<void> {
    const take = (instead: IInterval) => this._move(booking, instead, series, () => {});
    const { version } = booking;
    const moved = await this._try(take, async () => {
      const now = await this.model.change(booking.id, { start_at, end_at, version }, series);
      const when = intervalText({ start_at, end_at }, this.state.zone);
      this._withUndo(this._trans.__('“%1” is now %2.', this._title(booking), when), async () => {
        const back = { start_at: booking.start_at, end_at: booking.end_at, version: now.version };
        await this.model.change(booking.id, back, series);
      });
    });
    if (!moved) {
      revert();
      await this.model.refetch(); // the refusal may say that it has changed meanwhile
    }
  }

  private async _remove(booking: BookingModel, series: Series): Promise<void> {
    await this._try(null, async () => {
      const deleted = await this.model.remove(booking.id, series);
      this._replace({ draft: null });
      this._offerUndo(deleted);
    });
  }

  private _offerUndo(deleted: readonly BookingModel[]): void {
    const [first] = deleted;
    if (first === undefined) {
      return;
    }
    const said =
      deleted.length === 1
        ? this._trans.__('Deleted “%1”.', this._title(first))
        : this._trans.__('Deleted %1 bookings.', deleted.length);
    this._withUndo(said, () => this.model.restore(deleted));
  }

  private _withUndo(said: string, undo: () => Promise<void>): void {
    this._tell(said, () => void this._try(null, undo));
  }

  private _title(booking: BookingModel): string {
    return titleOf(booking, this._trans);
  }

  /** Whether `action` was done; if not, `refusal` says why and how `take` would do it at another time. */
  private async _try(take: IOffer['take'] | null, action: () => Promise<void>): Promise<boolean> {
    this._replace({ busy: true, refusal: null });
    try {
      await action();
      this._replace({ busy: false });
      return true;
    } catch (error) {
      const { message, nextFree } = refusalOf(reworded(error, this._trans), labelsOf(this._trans));
      const offered = take === null ? null : nextFree;
      const refusal = { message, nextFree: offered, take: take ?? (async () => {}) };
      this._replace({ busy: false, refusal });
      return false;
    }
  }

  private _refuse(message: string): void {
    this._replace({ refusal: { message, nextFree: null, take: async () => {} } });
  }
}
