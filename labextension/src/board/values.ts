import type { TranslationBundle } from '@jupyterlab/translation';
import { momentOf, wallTime } from '../calendar/zones';
import { quantity } from '../units';
import { clockZone, duration } from '../words';

/** What stands in a form's fields, by their names. */
export type Values = Readonly<Record<string, string | boolean>>;

/** A field that cannot be read; the message says what is expected. */
export class BadField extends Error {}

/** A field's text, without the blanks around it. */
export function text(values: Values, name: string): string {
  const value = values[name];
  return typeof value === 'string' ? value.trim() : '';
}

export function checked(values: Values, name: string): boolean {
  return values[name] === true;
}

/** The fields in which two states of a form differ. */
export function touchedOf(before: Values, after: Values): ReadonlySet<string> {
  const fields = new Set([...Object.keys(before), ...Object.keys(after)]);
  return new Set([...fields].filter(name => (before[name] || '') !== (after[name] || '')));
}

/** Names separated by commas, blanks or lines; each once. */
export function names(values: Values, name: string): readonly string[] {
  return [...new Set(text(values, name).split(/[\s,;]+/))].filter(word => word !== '');
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  s: 1,
  min: 60,
  m: 60,
  h: 3600,
  d: 86_400,
  day: 86_400,
  days: 86_400
};
const LENGTH = /^([+-]?\d+(?:[.,]\d+)?)\s*([a-z]*)$/i;

/** A length of time as people write it: `90`, `90 s`, `5 min`, `1.5 h`, `2 d`; in seconds. */
export function seconds(written: string): number {
  const found = LENGTH.exec(written.trim());
  const unit = found === null ? undefined : UNITS[(found[2] ?? '').toLowerCase()];
  if (found === null || unit === undefined) {
    throw new BadField(
      `Cannot read “${written}” as a length of time. Examples: 90 s, 5 min, 1.5 h, 2 d.`
    );
  }
  return Number((found[1] ?? '').replace(',', '.')) * unit;
}

/** An amount of time: more than nothing. */
export function amount(written: string): number {
  const value = seconds(written);
  if (value <= 0) {
    throw new BadField(
      `Cannot read “${written}” as an amount of time: enter more than 0, such as 5 min.`
    );
  }
  return value;
}

/** The same the other way round, in the greatest unit that leaves no long fraction. */
export function length(value: number | null): string {
  if (value === null) {
    return '';
  }
  const size = Math.abs(value);
  const units: readonly [string, number][] = [
    ['d', 86_400],
    ['h', 3600],
    ['min', 60]
  ];
  for (const [unit, width] of units) {
    if (size >= width && Number.isInteger(Math.round(value * 1000) / 10 / width)) {
      return `${value / width} ${unit}`;
    }
  }
  return `${Number(value.toFixed(2))} s`;
}

/** An amount of QPU time, short to read: exact where that is short, in two units else, in milliseconds if need be. */
export function shortLength(value: number, trans: TranslationBundle): string {
  const size = Math.abs(value);
  const sign = value < 0 ? '−' : '';
  if (size > 0 && size < 1) {
    return sign + quantity(size, 's', 3);
  }
  const exact = length(size);
  return sign + (size < 60 || !exact.endsWith(' s') ? exact : duration(1000 * size, trans));
}

/** Whole numbers from `least` on. */
export function count(values: Values, name: string, least = 1): number {
  const value = Number(text(values, name));
  if (!Number.isInteger(value) || value < least) {
    throw new BadField(
      `Cannot read “${text(values, name)}” as a whole number of at least ${least}.`
    );
  }
  return value;
}

/** A moment of a datetime-local field, which has the browser's time zone, in UTC; null where it is empty. */
export function momentIn(values: Values, name: string): string | null {
  const written = text(values, name);
  if (written !== '' && Number.isNaN(Date.parse(written))) {
    throw new BadField(`Cannot read “${written}” as a date and time.`);
  }
  return written === '' ? null : momentOf(written, clockZone());
}

/** The other way round. */
export function local(iso: string | null): string {
  return iso === null ? '' : wallTime(iso, clockZone());
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const PERSON = /^[A-Za-z0-9][A-Za-z0-9._@+-]*$/;

/** A name as the lab takes it: of a person it may be an address, too. */
export function nameIn(values: Values, name: string, person = false): string {
  const written = text(values, name);
  if (!(person ? PERSON : NAME).test(written)) {
    throw new BadField(
      `“${written}” is not a valid name: use letters, digits, dots, dashes and underscores, without a dot or dash first.`
    );
  }
  return written;
}
