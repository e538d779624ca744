import type { BookingChange, BookingIn, BookingModel } from '../wire';
import { momentOf, type WallTime, wallTime } from './zones';

export type Mode = BookingModel['mode'];

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
    times: 10
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
  const start_at = momentOf(draft.start, zone);
  const end_at = momentOf(draft.end, zone);
  if (start_at === null || end_at === null) {
    return null;
  }
  const { qpu, mode, title } = draft;
  const plain = { qpu, start_at, end_at, mode, title, invited: names(draft.invited) };
  return draft.repeat === 'never'
    ? plain
    : { ...plain, rrule: `${RULES[draft.repeat]};COUNT=${draft.times}`, timezone: zone };
}

/** What the draft changes of its booking; null while a time is missing. */
export function changeOf(draft: IDraft, zone: string): BookingChange | null {
  const { booking } = draft;
  const [start, end] = [momentOf(draft.start, zone), momentOf(draft.end, zone)];
  if (booking === null || start === null || end === null) {
    return null;
  }
  // The field shows whole minutes: one that was left alone keeps its seconds.
  const kept = (was: string, wall: WallTime, is: string) =>
    wallTime(was, zone) === wall ? was : is;
  return {
    start_at: kept(booking.start_at, draft.start, start),
    end_at: kept(booking.end_at, draft.end, end),
    mode: draft.mode,
    title: draft.title,
    invited: names(draft.invited),
    version: booking.version
  };
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
