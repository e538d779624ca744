import type { TranslationBundle } from '@jupyterlab/translation';

import { qpuRow } from '../rows';
import { isOpen, type Tone } from '../states';
import type { AccountModel, BookingModel, QpuModel, QpuSession } from '../wire';
import { duration, ends, moment, stamp, starts } from '../words';

/** What the card of a QPU says. */
export interface IQpuCard {
  readonly name: string;
  readonly state: string;
  readonly tone: Tone;
  /** Its size and its queue. */
  readonly detail: string;
  /** Who has it, and until when; or until when it is free. */
  readonly holder: string;
  /** Whether it is I who has it. */
  readonly mine: boolean;
  /** From when on one could have it; empty while it is free. */
  readonly nextFree: string;
}

export function qpuCard(
  qpu: QpuModel,
  bookings: readonly BookingModel[],
  now: number,
  trans: TranslationBundle
): IQpuCard {
  const { state, tone, detail } = qpuRow(qpu, now, trans);
  const its = bookings.filter(booking => booking.qpu === qpu.name && ends(booking) > now);
  const held = its.find(booking => starts(booking) <= now);
  const { session } = qpu;
  const taken = session ? Math.max(now, Date.parse(session.until)) : now;
  const free = freeFrom(its, taken);
  return {
    name: qpu.name,
    state,
    tone,
    detail,
    holder: !isOpen(qpu)
      ? '' // nobody can have it, and nothing is promised
      : session
        ? sessionOf(session, now, trans)
        : held
          ? holderOf(held, now, trans)
          : freeUntil(its[0], now, trans),
    mine: session?.mine ?? held?.mine ?? false,
    nextFree:
      isOpen(qpu) && (session ? free > taken : held)
        ? trans.__('Next free %1', stamp(free, now))
        : ''
  };
}

/** Who is in a session on a QPU, within a booking or outside of any. */
function sessionOf(session: QpuSession, now: number, trans: TranslationBundle): string {
  const until = stamp(Date.parse(session.until), now);
  if (session.mine) {
    return trans.__('In your session until %1 at the latest', until);
  }
  const who = session.holder ?? trans.__('Somebody else');
  return trans.__('%1, in a session until %2 at the latest', who, until);
}

function holderOf(booking: BookingModel, now: number, trans: TranslationBundle): string {
  const until = stamp(ends(booking), now);
  if (booking.mode === 'maintenance') {
    return trans.__('Maintenance until %1', until);
  }
  if (booking.mine) {
    return trans.__('Yours until %1', until);
  }
  return trans.__('%1 until %2', booking.booked_by ?? trans.__('Somebody else'), until);
}

function freeUntil(next: BookingModel | undefined, now: number, trans: TranslationBundle): string {
  if (!next) {
    return trans.__('No upcoming bookings');
  }
  const who = next.mine ? trans.__('you') : (next.booked_by ?? trans.__('somebody else'));
  return trans.__('Free until %1, then %2', stamp(starts(next), now), who);
}

/** When the bookings that follow `now`, and each other, without a pause end. */
function freeFrom(bookings: readonly BookingModel[], now: number): number {
  return bookings.reduce(
    (free, booking) => (starts(booking) <= free ? Math.max(free, ends(booking)) : free),
    now
  );
}

/** What is said of a booking of mine. */
export interface IBookingRow {
  readonly booking: BookingModel;
  readonly title: string;
  readonly when: string;
  readonly countdown: string;
  readonly active: boolean;
}

/** My booking of now, or else the next one. */
export function nextBooking(
  mine: readonly BookingModel[],
  now: number,
  trans: TranslationBundle
): IBookingRow | null {
  const booking = mine.find(one => ends(one) > now);
  if (!booking) {
    return null;
  }
  const active = starts(booking) <= now;
  const left = duration((active ? ends(booking) : starts(booking)) - now, trans);
  return {
    booking,
    title: booking.title ? `${booking.qpu} · ${booking.title}` : booking.qpu,
    when: `${moment(starts(booking), now)} – ${stamp(ends(booking), now)}`,
    countdown: active ? trans.__('%1 left', left) : trans.__('begins in %1', left),
    active
  };
}

export function balanceText(account: AccountModel, trans: TranslationBundle): string {
  const seconds = (s: number) => (s < 0 ? '−' : '') + duration(1000 * Math.abs(s), trans);
  const parts = [
    account.available_s === null
      ? trans.__('No limit')
      : trans.__('%1 available', seconds(account.available_s)),
    trans.__('%1 used', seconds(account.used_s))
  ];
  return [
    ...parts,
    ...(account.held_s > 0 ? [trans.__('%1 reserved', seconds(account.held_s))] : [])
  ].join(' · ');
}

/** A picture's address that is safe to ask for; empty where `url` is none. */
export function logoAddress(url: string): string {
  return /^(https?:\/\/|\/(?!\/)|data:image\/)/i.test(url.trim()) ? url.trim() : '';
}
