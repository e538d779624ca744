import { Temporal } from 'temporal-polyfill';

import type { BookingRuleList } from '../wire';

/** A clock that the calendar can be read by. */
export interface IZone {
  /** The IANA name. */
  readonly id: string;
  readonly kind: 'browser' | 'utc' | 'lab';
}

/** A time as a `datetime-local` field holds it: "2030-01-07T09:00", by the clock of some zone. */
export type WallTime = string;

export function browserZone(): string {
  return Temporal.Now.timeZoneId();
}

/** The browser's clock, UTC, and the clocks that the lab's quiet hours are written in; each zone once. */
export function zoneChoices(rules: BookingRuleList | null, browser = browserZone()): IZone[] {
  const found: IZone[] = [{ id: browser, kind: 'browser' }];
  const said = (rules?.rules ?? []).flatMap(({ rule }) => rule.quiet ?? []);
  const lab = said.map(quiet => ({ id: quiet.timezone ?? 'UTC', kind: 'lab' as const }));
  for (const zone of [{ id: 'UTC', kind: 'utc' as const }, ...lab]) {
    if (!found.some(other => other.id === zone.id)) {
      found.push(zone);
    }
  }
  return found;
}

/** What the clock of `zone` shows at a moment (RFC 3339). */
export function wallTime(moment: string, zone: string): WallTime {
  const there = Temporal.Instant.from(moment).toZonedDateTimeISO(zone);
  return there.toPlainDateTime().toString({ smallestUnit: 'minute' });
}

/** The moment (RFC 3339) at which the clock of `zone` shows `wall`; null where that is no time. */
export function momentOf(wall: WallTime, zone: string): string | null {
  try {
    return Temporal.PlainDateTime.from(wall).toZonedDateTime(zone).toInstant().toString();
  } catch (error) {
    if (error instanceof RangeError) {
      return null;
    }
    throw error;
  }
}

/** `moment`, on the next full step of so many minutes. */
export function roundedUp(moment: Date, minutes: number): string {
  const step = minutes * 60_000;
  return new Date(Math.ceil(moment.getTime() / step) * step).toISOString();
}
