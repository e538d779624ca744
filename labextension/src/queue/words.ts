import { formatOf } from '../words';

const DAY = 86_400_000;
const NUMBER = new Intl.NumberFormat();

/** A moment by the reader's own clock: today only the time, long ago only the day. */
export function moment(at: string, now: number): string {
  const date = new Date(at);
  const day = formatOf({ dateStyle: 'medium' });
  if (Math.abs(now - date.getTime()) > 300 * DAY) {
    return day.format(date);
  }
  const form =
    day.format(date) === day.format(now)
      ? formatOf({ timeStyle: 'medium' })
      : formatOf({ month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit' });
  return form.format(date);
}

/** A moment with everything that is to say of it. */
export function wholeMoment(at: string): string {
  return formatOf({ dateStyle: 'full', timeStyle: 'long' }).format(new Date(at));
}

export function number(value: number): string {
  return NUMBER.format(value);
}
