import { Temporal } from 'temporal-polyfill';

import type { IInterval } from './refusal';
import { wallTime } from './zones';

export type View = 'week' | 'day' | 'agenda';

export const VIEWS: readonly View[] = ['week', 'day', 'agenda'];

/** A day as calendars write it: "2030-01-07". */
export type Day = string;

/** The day that the clock of `zone` shows at a moment (ms since 1970). */
export function dayAt(moment: number, zone: string): Day {
  return wallTime(new Date(moment).toISOString(), zone).slice(0, 10);
}

/** What a view shows of the time around `day`: from midnight to midnight by the clock of `zone`. */
export function windowOf(view: View, day: Day, zone: string): IInterval {
  const { first, days } = pageOf(view, day);
  const midnight = (date: Temporal.PlainDate) => date.toZonedDateTime(zone).toInstant().toString();
  return { start_at: midnight(first), end_at: midnight(first.add({ days })) };
}

/** The same weekday, so many pages further on. */
export function turned(view: View, day: Day, pages: number): Day {
  const { days } = pageOf(view, day);
  return Temporal.PlainDate.from(day)
    .add({ days: pages * days })
    .toString();
}

/** What a page is called: "23 – 29 November 2026", or "Monday, 23 November 2026". */
export function pageTitle(view: View, day: Day, locale?: string): string {
  const { first, days } = pageOf(view, day);
  const [start, end] = [first, first.add({ days: days - 1 })].map(date =>
    Date.parse(date.toString())
  );
  const format = new Intl.DateTimeFormat(locale, {
    ...(days === 1 ? { weekday: 'long' } : {}),
    day: 'numeric',
    month: 'long',
    year: 'numeric',
    timeZone: 'UTC'
  });
  return format.formatRange(start ?? 0, end ?? 0);
}

function pageOf(view: View, day: Day): { first: Temporal.PlainDate; days: number } {
  const date = Temporal.PlainDate.from(day);
  return view === 'day'
    ? { first: date, days: 1 }
    : { first: date.subtract({ days: date.dayOfWeek - 1 }), days: 7 };
}
