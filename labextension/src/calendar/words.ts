import type { TranslationBundle } from '@jupyterlab/translation';

import type { BookingModel } from '../wire';
import { formatOf } from '../words';
import type { Mode } from './draft';
import type { IInterval } from './refusal';

/** So many colours that everybody tells apart; further QPUs begin anew, and their names tell them apart. */
const TONES = 8;

/** The colour of each QPU, by its place in the list of all. */
export function tonesOf(qpus: readonly string[]): ReadonlyMap<string, number> {
  return new Map([...qpus].sort().map((name, place) => [name, place % TONES]));
}

export function modeWord(mode: Mode, trans: TranslationBundle): string {
  const words: Record<Mode, string> = {
    priority: trans.__('priority'),
    exclusive: trans.__('exclusive'),
    maintenance: trans.__('maintenance')
  };
  return words[mode];
}

/** What a booking is called: its title, or what can be said without one. */
export function titleOf(booking: BookingModel, trans: TranslationBundle): string {
  if (booking.title) {
    return booking.title;
  }
  return booking.mode === 'maintenance' ? trans.__('Maintenance') : trans.__('Booked');
}

/** Whose a booking is; empty where the lab keeps that private. */
export function ownerOf(booking: BookingModel, me: string, trans: TranslationBundle): string {
  if (booking.booked_by === me) {
    return trans.__('you');
  }
  const owner = booking.booked_by ?? '';
  return booking.mine ? trans.__('%1, with you', owner) : owner;
}

const TIME = { hour: 'numeric', minute: '2-digit' } as const;
const MOMENT = { weekday: 'short', day: 'numeric', month: 'short', ...TIME } as const;

/** "Mon 7 Jan, 09:00 – 11:00", by the clock of `zone`. */
export function intervalText(interval: IInterval, zone: string): string {
  return rangeText(interval, MOMENT, zone);
}

/** "09:00 – 11:00", by the clock of `zone`; with the day where it ends on another one. */
export function clockText(interval: IInterval, zone: string): string {
  return rangeText(interval, TIME, zone);
}

function rangeText(
  { start_at, end_at }: IInterval,
  options: typeof TIME | typeof MOMENT,
  zone: string
): string {
  return formatOf(options, undefined, zone).formatRange(new Date(start_at), new Date(end_at));
}

/** "2 h 30 min": the time that passes, whatever the clocks say. */
export function lengthText({ start_at, end_at }: IInterval, trans: TranslationBundle): string {
  const minutes = Math.round((Date.parse(end_at) - Date.parse(start_at)) / 60_000);
  if (minutes <= 0) {
    return trans.__('The end must be after the start.');
  }
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  const parts = [
    hours > 0 ? trans.__('%1 h', hours) : '',
    rest > 0 ? trans.__('%1 min', rest) : ''
  ];
  return parts.filter(Boolean).join(' ');
}

/** All of a booking in one line, for tooltips and screen readers. */
export function bookingText(
  booking: BookingModel,
  me: string,
  zone: string,
  trans: TranslationBundle
): string {
  const owner = ownerOf(booking, me, trans);
  const parts = [
    booking.qpu,
    titleOf(booking, trans),
    intervalText(booking, zone),
    owner && trans.__('booked by %1', owner),
    modeWord(booking.mode, trans),
    booking.series_id === null ? '' : trans.__('repeats')
  ];
  return parts.filter(Boolean).join(', ');
}

/** What the fields of a booking are called, by their names in the lab's answers. */
export function labelsOf(trans: TranslationBundle) {
  return {
    qpu: trans.__('QPU'),
    start_at: trans.__('Start'),
    end_at: trans.__('End'),
    timezone: trans.__('Time zone of the series'),
    title: trans.__('Title'),
    mode: trans.__('Mode'),
    invited: trans.__('Invited'),
    rrule: trans.__('Repeat')
  };
}
