import type { BookingChange, BookingIn, BookingModel } from '../wire';
import type { IInterval } from './refusal';
import { momentOf, type WallTime, wallTime } from './zones';

export type Mode = BookingModel['mode'];

/** How much of its series something is done to. */
export type Series = 'this' | 'following' | 'all';

/** How a new booking repeats. */
export type Repeat = 'never' | 'daily' | 'weekdays' | 'weekly';

/** What the booking dialog holds: a booking as one types it, by the clock that is shown. */
export interface IDraft {
  /** The booking that is edited; null for a new one. */
  readonly booking: BookingModel | null;
  readonly qpu: string;
  readonly start: WallTime;
  readonly end: WallTime;
  readonly mode: Mode;
  readonly title: string;
  /** Names, with commas between them. */
  readonly invited: string;
  readonly repeat: Repeat;
  /** How often in all. */
  readonly times: number;
  /** How much of its series an edited booking takes along. */
  readonly series: Series;
}

const RULES: Record<Exclude<Repeat, 'never'>, string> = {
  daily: 'FREQ=DAILY',
  weekdays: 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR',
  weekly: 'FREQ=WEEKLY'
};

export function newDraft(qpu: string, start: WallTime, end: WallTime): IDraft {
  return {
    booking: null,
    qpu,
    start,
    end,
    mode: 'priority',
    title: '',
    invited: '',
    repeat: 'never',
    times: 10,
    series: 'this'
  };
}

export function draftOf(booking: BookingModel, zone: string): IDraft {
  return {
    ...newDraft(booking.qpu, wallTime(booking.start_at, zone), wallTime(booking.end_at, zone)),
    booking,
    mode: booking.mode,
    title: booking.title ?? '',
    invited: booking.invited.join(', ')
  };
}

/** The request for a new booking; null while a time is missing. */
export function requestOf(draft: IDraft, zone: string): BookingIn | null {
  const interval = intervalOf(draft, zone);
  if (interval === null) {
    return null;
  }
  const { qpu, mode, title } = draft;
  const plain = { qpu, ...interval, mode, title, invited: names(draft.invited) };
  return draft.repeat === 'never'
    ? plain
    : { ...plain, rrule: `${RULES[draft.repeat]};COUNT=${draft.times}`, timezone: zone };
}

/** What the draft changes of its booking; null while a time is missing. */
export function changeOf(draft: IDraft, zone: string): BookingChange | null {
  const { booking } = draft;
  const interval = intervalOf(draft, zone);
  if (booking === null || interval === null) {
    return null;
  }
  return {
    ...interval,
    mode: draft.mode,
    title: draft.title,
    invited: names(draft.invited),
    version: booking.version
  };
}

/** The same draft by another clock; as it is while a time is missing. */
export function byClock(draft: IDraft, zone: string, other: string): IDraft {
  const interval = intervalOf(draft, zone);
  return interval === null
    ? draft
    : {
        ...draft,
        start: wallTime(interval.start_at, other),
        end: wallTime(interval.end_at, other)
      };
}

/** From when to when the draft is; null while a time is missing. */
export function intervalOf(draft: IDraft, zone: string): IInterval | null {
  // The field shows whole minutes of a clock that may be put back: a time that was left alone is as it was.
  const meant = (was: string | undefined, wall: WallTime) =>
    was !== undefined && wallTime(was, zone) === wall ? was : momentOf(wall, zone);
  const start_at = meant(draft.booking?.start_at, draft.start);
  const end_at = meant(draft.booking?.end_at, draft.end);
  return start_at === null || end_at === null ? null : { start_at, end_at };
}

/** What books deleted bookings again: one request a booking, or a slot of several QPUs. */
export function rebookings(deleted: readonly BookingModel[], me: string): BookingIn[] {
  const groups = new Map<string, BookingModel[]>();
  for (const booking of deleted) {
    const key = booking.slot_id ?? booking.id;
    groups.set(key, [...(groups.get(key) ?? []), booking]);
  }
  return [...groups.values()].flatMap(([first, ...others]) => {
    if (first === undefined) {
      return [];
    }
    const qpus = [first, ...others].map(booking => booking.qpu);
    const owner = first.booked_by;
    return {
      ...(others.length > 0 ? { qpus } : { qpu: first.qpu }),
      start_at: first.start_at,
      end_at: first.end_at,
      mode: first.mode,
      title: first.title ?? '',
      invited: first.invited,
      ...(owner !== null && owner !== me ? { booked_by: owner } : {})
    };
  });
}

function names(text: string): string[] {
  return text
    .split(',')
    .map(name => name.trim())
    .filter(Boolean);
}
