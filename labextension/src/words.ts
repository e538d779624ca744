import type { TranslationBundle } from '@jupyterlab/translation';

import type { BookingModel } from './wire';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A moment, as short as can be: the day only where it is another one than `now`'s. */
export function moment(at: number, now: number): string {
  const date = new Date(at);
  const time = date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  if (date.toDateString() === new Date(now).toDateString()) {
    return time;
  }
  const day = date.toLocaleDateString([], { weekday: 'short', day: 'numeric', month: 'short' });
  return `${day} ${time}`;
}

/** A length of time in its two largest units; to the second in the last ten minutes. */
export function duration(ms: number, trans: TranslationBundle): string {
  const left = Math.max(0, Math.round(ms / 1000)) * 1000;
  const [days, hours, minutes, seconds] = [
    Math.floor(left / DAY),
    Math.floor((left % DAY) / HOUR),
    Math.floor((left % HOUR) / MINUTE),
    Math.floor((left % MINUTE) / 1000)
  ];
  if (days > 0) {
    return trans.__('%1 d %2 h', days, hours);
  }
  if (hours > 0) {
    return trans.__('%1 h %2 min', hours, minutes);
  }
  if (minutes >= 10) {
    return trans.__('%1 min', minutes);
  }
  return minutes > 0 ? trans.__('%1 min %2 s', minutes, seconds) : trans.__('%1 s', seconds);
}

export const starts = (booking: BookingModel): number => Date.parse(booking.start_at);
export const ends = (booking: BookingModel): number => Date.parse(booking.end_at);
