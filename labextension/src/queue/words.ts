const DAY = 86_400_000;

// Made once: a table formats thousands of times a second while it is scrolled.
const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const DAY_AND_TIME = new Intl.DateTimeFormat(undefined, {
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit'
});
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });
const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });
const NUMBER = new Intl.NumberFormat();

/** A moment in the reader's own time zone: today only the time, long ago only the day. */
export function moment(at: string, now: number): string {
  const date = new Date(at);
  if (Math.abs(now - date.getTime()) > 300 * DAY) {
    return DATE.format(date);
  }
  const today = date.toDateString() === new Date(now).toDateString();
  return (today ? TIME : DAY_AND_TIME).format(date);
}

/** A moment with everything that is to say of it. */
export function wholeMoment(at: string): string {
  return WHOLE.format(new Date(at));
}

export function number(value: number): string {
  return NUMBER.format(value);
}
