import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { type ISignal, Signal } from '@lumino/signaling';

import type { BookingModel } from '../wire';
import { changeOf, draftOf, type IDraft, newDraft, requestOf } from './draft';
import type { CalendarModel, Series } from './model';
import { type IInterval, type IRefusal, refusalOf } from './refusal';
import { intervalText, titleOf } from './words';
import { browserZone, roundedUp, wallTime } from './zones';

/** How long "Undo" is offered (ms). */
const UNDO_FOR = 15_000;
const HOUR_S = 3_600;
/** The next free hour begins on such a step, so that its ends are times that people say. */
const ROUND_TO_MINUTES = 5;

/** A refusal with what would book the offered interval instead. */
export interface IOffer extends IRefusal {
  readonly take: (instead: IInterval) => Promise<void>;
}

/** What a person is about to do. Never changed, only replaced. */
export interface IDeskState {
  /** The IANA name of the clock that is shown. */
  readonly zone: string;
  /** The QPUs that are filtered out. */
  readonly hidden: readonly string[];
  /** What is in the booking dialog; null: it is closed. */
  readonly draft: IDraft | null;
  /** Why the last thing was not done. */
  readonly refusal: IOffer | null;
  /** The repetition that is to be deleted, once it is said how much of its series goes with it. */
  readonly doomed: BookingModel | null;
  readonly busy: boolean;
}

/** Carries out what a person does in the calendar, and tells them what came of it. */
export class CalendarDesk {
  constructor(
    readonly model: CalendarModel,
    private readonly _trans: TranslationBundle
  ) {}

  get state(): IDeskState {
    return this._state;
  }

  get changed(): ISignal<CalendarDesk, IDeskState> {
    return this._changed;
  }

  setZone(zone: string): void {
    this._replace({ zone, draft: null });
  }

  setHidden(hidden: readonly string[]): void {
    this._replace({ hidden });
  }

  /** Open the dialog for a new booking. */
  draw(qpu: string, { start_at, end_at }: IInterval): void {
    const { zone } = this._state;
    const draft = newDraft(qpu, wallTime(start_at, zone), wallTime(end_at, zone));
    this._replace({ draft, refusal: null });
  }

  /** Open the dialog with a booking: to edit it, or to read it. */
  open(booking: BookingModel): void {
    this._replace({ draft: draftOf(booking, this._state.zone), refusal: null });
  }

  edit(changes: Partial<IDraft>): void {
    const { draft } = this._state;
    if (draft !== null) {
      this._replace({ draft: { ...draft, ...changes } });
    }
  }

  /** Close what is open, and forget the last refusal. */
  dismiss(): void {
    this._replace({ draft: null, refusal: null, doomed: null });
  }

  /** Send what the dialog holds. It stays open while the lab refuses. */
  async save(): Promise<void> {
    const { draft, zone } = this._state;
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

  /** Move or resize a booking; `revert` puts it back where the lab says no. */
  async move(booking: BookingModel, interval: IInterval, revert?: () => void): Promise<void> {
    const take = (instead: IInterval) => this.move(booking, instead);
    const { start_at, end_at } = interval;
    const { version } = booking;
    const moved = await this._try(take, async () => {
      await this.model.change(booking.id, { start_at, end_at, version });
    });
    if (!moved) {
      revert?.();
      await this.model.refetch(); // the refusal may say that it has changed meanwhile
    }
  }

  /** Delete a booking; one that repeats only after asking how much of its series. */
  async remove(booking: BookingModel, series?: Series): Promise<void> {
    if (booking.series_id !== null && series === undefined) {
      this._replace({ doomed: booking, draft: null });
      return;
    }
    this._replace({ doomed: null });
    await this._try(null, async () => {
      const deleted = await this.model.remove(booking.id, series);
      this._replace({ draft: null });
      this._offerUndo(deleted);
    });
  }

  async release(booking: BookingModel): Promise<void> {
    await this._try(null, async () => {
      await this.model.release(booking.id);
      this._replace({ draft: null });
      Notification.success(this._trans.__('The rest of “%1” is free again.', this._title(booking)));
    });
  }

  /** Book the first free hour on any of `qpus`; when that is, or null if it was refused. */
  async bookNextHour(qpus: readonly string[], now = new Date()): Promise<IInterval | null> {
    let booked: IInterval | null = null;
    await this._try(null, async () => {
      const after = roundedUp(now, ROUND_TO_MINUTES);
      const { qpu, start_at, end_at } = await this.model.nextFree(qpus, HOUR_S, after);
      const { bookings } = await this.model.book({ qpu, start_at, end_at });
      booked = { start_at, end_at };
      const when = intervalText(booked, this._state.zone);
      this._withUndo(this._trans.__('Booked %1: %2.', qpu, when), async () => {
        for (const { id } of bookings) {
          await this.model.remove(id);
        }
      });
    });
    return booked;
  }

  private async _send(draft: IDraft, zone: string): Promise<void> {
    const trans = this._trans;
    const incomplete = () => new Error(trans.__('Say when it begins and when it ends.'));
    if (draft.booking !== null) {
      const change = changeOf(draft, zone);
      if (change === null) {
        throw incomplete();
      }
      await this.model.change(draft.booking.id, change);
      return;
    }
    const request = requestOf(draft, zone);
    if (request === null) {
      throw incomplete();
    }
    const { bookings, cut_at } = await this.model.book(request);
    if (bookings.length > 1) {
      const many = trans._n('Booked once.', 'Booked %1 times.', bookings.length);
      const cut = cut_at === null ? '' : trans.__('No further: one may not book so far ahead.');
      Notification.success([many, cut].filter(Boolean).join(' '));
    }
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
    Notification.success(said, {
      autoClose: UNDO_FOR,
      actions: [{ label: this._trans.__('Undo'), callback: () => void this._try(null, undo) }]
    });
  }

  private _title(booking: BookingModel): string {
    return titleOf(booking, this._trans);
  }

  /** Whether `deed` was done; if not, `refusal` says why and how `take` would do it at another time. */
  private async _try(take: IOffer['take'] | null, deed: () => Promise<void>): Promise<boolean> {
    this._replace({ busy: true, refusal: null });
    try {
      await deed();
      this._replace({ busy: false });
      return true;
    } catch (error) {
      const { message, nextFree } = refusalOf(error);
      const offered = take === null ? null : nextFree;
      const refusal = { message, nextFree: offered, take: take ?? (async () => undefined) };
      this._replace({ busy: false, refusal });
      return false;
    }
  }

  private _replace(changes: Partial<IDeskState>): void {
    this._state = { ...this._state, ...changes };
    this._changed.emit(this._state);
  }

  private _state: IDeskState = {
    zone: browserZone(),
    hidden: [],
    draft: null,
    refusal: null,
    doomed: null,
    busy: false
  };
  private readonly _changed = new Signal<CalendarDesk, IDeskState>(this);
}
