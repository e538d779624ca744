import { Temporal } from 'temporal-polyfill';
import type { BookingRuleList } from '../wire';
import { clockZone } from '../words';

/** Where a page begins that has room for half a day. */
const MORNING = 8;
/** From this hour on, now is out of sight on such a page. */
const EVENING = 17;

/** A clock that the calendar can be read by. */
export interface IZone {
  /** The IANA name. */
  readonly id: string;
  readonly kind: 'own' | 'utc' | 'lab';
}

/** A time as a `datetime-local` field holds it: "2030-01-07T09:00", by the clock of some zone. */
export type WallTime = string;

/** The zone of the person's clock: the one that is set, or the browser's. */
export function ownZone(): string {
  return clockZone();
}

/** One's own clock, UTC, and the clocks that the lab's quiet hours are written in; each zone once. */
export function zoneChoices(
  rules: BookingRuleList | null,
  chosen: string,
  own = ownZone()
): IZone[] {
  const found: IZone[] = [{ id: own, kind: 'own' }];
  const said = (rules?.rules ?? []).flatMap(({ rule }) => rule.quiet ?? []);
  const lab = said.map(quiet => ({ id: quiet.timezone ?? 'UTC', kind: 'lab' as const }));
  // One that was chosen before stays a choice, whatever the rules say by now.
  for (const zone of [
    { id: 'UTC', kind: 'utc' as const },
    ...lab,
    { id: chosen, kind: 'lab' as const }
  ]) {
    if (!found.some(other => other.id === zone.id)) {
      found.push(zone);
    }
  }
  return found;
}

export function isZone(zone: string): boolean {
  try {
    Temporal.Now.zonedDateTimeISO(zone);
    return true;
  } catch {
    return false;
  }
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

/** How often the clock of `zone` shows `wall`: not at all, once, or twice where it is put back. */
export function timesShown(wall: WallTime, zone: string): 0 | 1 | 2 {
  const at = Temporal.PlainDateTime.from(wall);
  const [one, other] = (['earlier', 'later'] as const).map(disambiguation =>
    at.toZonedDateTime(zone, { disambiguation })
  );
  if (one === undefined || other === undefined || one.equals(other)) {
    return 1;
  }
  return one.toPlainDateTime().equals(at) ? 2 : 0;
}

/** `moment`, on the next full step of so many minutes. */
export function roundedUp(moment: Date, minutes: number): string {
  const step = minutes * 60_000;
  return new Date(Math.ceil(moment.getTime() / step) * step).toISOString();
}

/** The hour that is uppermost when the tab opens: the morning, or the hour before now. */
export function firstHour(now: number, zone: string): number {
  const hour = Number(wallTime(new Date(now).toISOString(), zone).slice(11, 13));
  const before = Math.max(0, hour - 1);
  return hour < EVENING ? Math.min(MORNING, before) : before;
}
