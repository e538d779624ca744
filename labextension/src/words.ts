import type { TranslationBundle } from '@jupyterlab/translation';

import type { BookingModel, JobModel } from './wire';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How hours are counted; empty: as the browser's language has it. */
export type Hours = '' | 'h12' | 'h23';

let clock: string | undefined;
let hours: Hours = '';
/** Made once each: making a format takes a hundred times as long as using it. */
const formats = new Map<string, Intl.DateTimeFormat>();

/** Show times by the clock of a zone from now on; without one, by the browser's. */
export function setClock(zone: string, hourCycle: Hours = ''): void {
  if (clock !== (zone || undefined) || hours !== hourCycle) {
    clock = zone || undefined;
    hours = hourCycle;
    formats.clear();
  }
}

/** How hours are counted, for formats that others make. */
export function clockHours(): Intl.DateTimeFormatOptions {
  return hours === '' ? {} : { hourCycle: hours };
}

/** The IANA name of the clock that times are shown by. */
export function clockZone(): string {
  return formatOf({}).resolvedOptions().timeZone;
}

/** A format by that clock, or by the one of another zone. */
export function formatOf(
  options: Intl.DateTimeFormatOptions,
  locale?: string,
  timeZone = clock
): Intl.DateTimeFormat {
  const key = JSON.stringify([options, locale, timeZone]);
  const format =
    formats.get(key) ??
    new Intl.DateTimeFormat(locale, {
      ...options,
      ...((options.hour || options.timeStyle) && !locale && clockHours()),
      timeZone
    });
  formats.set(key, format);
  return format;
}

/** A moment, as short as can be: the day only where it is another one than `now`'s, seconds where they are asked for. */
export function moment(at: number | string, now: number, exact = false): string {
  const two = '2-digit';
  const time = formatOf({ hour: 'numeric', minute: two, ...(exact && { second: two }) });
  const day = formatOf({ weekday: 'short', day: 'numeric', month: 'short' });
  const [date, on] = [new Date(at), day.format(new Date(at))];
  return `${on === day.format(now) ? '' : `${on} `}${time.format(date)}`;
}

/** How often a circuit is run: "4,000 shots". */
export function shotsOf(count: number, trans: TranslationBundle): string {
  return trans._n('%2 shot', '%2 shots', count, count.toLocaleString());
}

/** How much a job measures. Each circuit is a run, and so is each point of a sweep: "1,024 shots", "41 runs of 1,024 shots". */
export function sizeOf(
  { num_circuits, shots }: Pick<JobModel, 'num_circuits' | 'shots'>,
  trans: TranslationBundle
): string {
  const each = shotsOf(shots, trans);
  return num_circuits === 1 ? each : trans.__('%1 runs of %2', num_circuits.toLocaleString(), each);
}

/** A moment with the name of its clock: "14:00 UTC+1". */
export function stamp(at: number | string, now: number, exact = false): string {
  return `${moment(at, now, exact)} ${offset(at)}`;
}

/** What the clock is called that shows a moment: "UTC", "UTC+1". */
function offset(at: number | string): string {
  const parts = formatOf({ timeZoneName: 'shortOffset' }, 'en').formatToParts(new Date(at));
  const name = parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
  return name.replace('GMT', 'UTC').replace(/[+-]0$/, '');
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
