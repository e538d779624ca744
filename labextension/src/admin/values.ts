import type {
  BookingRule,
  BookingRuleIn,
  NoticeIn,
  QuietHours,
  SimulatorIn,
  TimeRequestAnswer,
  UserChange
} from '../wire';

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

/** The part of a change that was touched, so that nobody else's change is undone; all roles are one field. */
export function touchedPart<T extends object>(body: T, touched: ReadonlySet<string>): Partial<T> {
  const names = new Set([...touched].map(name => (name.startsWith('role-') ? 'roles' : name)));
  return Object.fromEntries(Object.entries(body).filter(([name]) => names.has(name))) as Partial<T>;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const PERSON = /^[A-Za-z0-9][A-Za-z0-9._@+-]*$/;
const PASSWORD_LENGTH = 10;

/** A name as the lab takes it: of a person it may be an address, too. */
export function nameIn(values: Values, name: string, person = false): string {
  const written = text(values, name);
  if (!(person ? PERSON : NAME).test(written)) {
    throw new BadField(
      `“${written}” is no name: letters, digits, dots, dashes and underscores, and no dot or dash first.`
    );
  }
  return written;
}

/** The password that a local account begins with; null where there is to be none. */
export function passwordIn(values: Values): string | null {
  const written = values.password;
  if (typeof written !== 'string' || written === '') {
    return null;
  }
  if (written.length < PASSWORD_LENGTH) {
    throw new BadField(`A password has ${PASSWORD_LENGTH} characters or more.`);
  }
  return written;
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
    throw new BadField(`“${written}” is no length of time: write 90 s, 5 min, 1.5 h or 2 d.`);
  }
  return Number((found[1] ?? '').replace(',', '.')) * unit;
}

/** An amount of time: more than nothing. */
export function amount(written: string): number {
  const value = seconds(written);
  if (value <= 0) {
    throw new BadField(`“${written}” is no amount of time: write more than 0, such as 5 min.`);
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

/** Whole numbers from `least` on. */
export function count(values: Values, name: string, least = 1): number {
  const value = Number(text(values, name));
  if (!Number.isInteger(value) || value < least) {
    throw new BadField(`“${text(values, name)}” is no whole number from ${least} on.`);
  }
  return value;
}

/** A moment of a datetime-local field, which has the browser's time zone, in UTC; null where it is empty. */
export function moment(values: Values, name: string): string | null {
  const written = text(values, name);
  if (written !== '' && Number.isNaN(Date.parse(written))) {
    throw new BadField(`“${written}” is no date and time.`);
  }
  return written === '' ? null : new Date(written).toISOString();
}

/** The other way round. */
export function local(iso: string | null): string {
  if (iso === null) {
    return '';
  }
  const date = new Date(iso);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** Executor options, one `name = value` a line; a value is JSON where it reads as such, else text. */
export function options(written: string): Readonly<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const line of written.split('\n')) {
    if (line.trim() === '') {
      continue;
    }
    const at = line.indexOf('=');
    if (at < 1) {
      throw new BadField(`“${line.trim()}” is no option: write name = value, one a line.`);
    }
    found[line.slice(0, at).trim()] = asJson(line.slice(at + 1).trim());
  }
  return found;
}

function asJson(written: string): unknown {
  try {
    return JSON.parse(written);
  } catch {
    return written;
  }
}

/** Any JSON value as one line. */
export function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The options as `options` reads them. */
export function optionLines(given: Readonly<Record<string, unknown>>): string {
  return Object.entries(given)
    .map(([name, value]) => `${name} = ${shown(value)}`)
    .join('\n');
}

export function simulatorOf(values: Values): SimulatorIn {
  const qpu = text(values, 'qpu');
  return {
    name: nameIn(values, 'name'),
    executor: text(values, 'executor') === 'qiskit_aer' ? 'qiskit_aer' : 'mock',
    places: count(values, 'places'),
    options: options(text(values, 'options')),
    description: text(values, 'description'),
    ...(qpu === '' ? {} : { qpu })
  };
}

export function noticeOf(values: Values): NoticeIn {
  return {
    title: text(values, 'title'),
    body: text(values, 'body'),
    people: names(values, 'people'),
    groups: names(values, 'groups'),
    start_at: moment(values, 'start_at'),
    end_at: moment(values, 'end_at')
  };
}

/** A request's answer; an approval without an amount grants what was asked for. */
export function answerOf(status: 'approved' | 'rejected', values: Values): TimeRequestAnswer {
  const reason = text(values, 'reason');
  const granted = text(values, 'seconds');
  return status === 'rejected' || granted === ''
    ? { status, reason }
    : { status, reason, seconds: amount(granted) };
}

const ROLES = ['user', 'manager', 'admin', 'service'] as const;

/** Roles go along only where one may grant them. */
export function userChangeOf(values: Values, grantsRoles: boolean): UserChange {
  const roles = ROLES.filter(role => checked(values, `role-${role}`));
  return {
    display_name: text(values, 'display_name'),
    email: text(values, 'email'),
    groups: names(values, 'groups'),
    ...(grantsRoles ? { roles } : {})
  };
}

const LENGTHS = ['granularity_s', 'shortest_s', 'longest_s', 'horizon_s', 'no_show_s'] as const;
const MODES = ['priority', 'exclusive', 'maintenance'] as const;
const QUIET =
  /^(\d\d:\d\d)\s*[-–]\s*(\d\d:\d\d)(?:\s+([0-6](?:,[0-6])*))?(?:\s+([A-Za-z_]+(?:\/\S+)?))?$/;

/** Quiet hours, one a line: `22:00-06:00`, then if need be days (`0,1`; 0 is Monday) and a time zone. */
export function quietHours(written: string): readonly QuietHours[] {
  const lines = written.split('\n').filter(line => line.trim() !== '');
  return lines.map(line => {
    const found = QUIET.exec(line.trim());
    if (found === null) {
      throw new BadField(`“${line.trim()}” is no quiet time: write 22:00-06:00 5,6 Europe/Berlin.`);
    }
    const [, start = '', end = '', days, timezone] = found;
    return {
      start,
      end,
      ...(days === undefined ? {} : { days: days.split(',').map(Number) }),
      ...(timezone === undefined ? {} : { timezone })
    };
  });
}

export function quietLines(quiet: readonly QuietHours[]): string {
  return quiet
    .map(({ start, end, days, timezone }) =>
      [`${start}-${end}`, days === undefined || days.length === 7 ? '' : days.join(','), timezone]
        .filter(Boolean)
        .join(' ')
    )
    .join('\n');
}

/** What a rule's form holds of `rule`. */
export function ruleValues(rule: BookingRule): Values {
  return {
    ...Object.fromEntries(LENGTHS.map(name => [name, length(rule[name] ?? null)])),
    ...Object.fromEntries(MODES.map(mode => [`mode-${mode}`, rule.modes?.includes(mode) ?? true])),
    max_ahead: rule.max_ahead === null || rule.max_ahead === undefined ? '' : `${rule.max_ahead}`,
    quiet: quietLines(rule.quiet ?? [])
  };
}

export function ruleOf(values: Values): BookingRuleIn {
  const given = LENGTHS.filter(name => text(values, name) !== '');
  const modes = MODES.filter(mode => checked(values, `mode-${mode}`));
  const rule: BookingRule = {
    ...Object.fromEntries(given.map(name => [name, amount(text(values, name))])),
    ...(text(values, 'max_ahead') === '' ? {} : { max_ahead: count(values, 'max_ahead', 0) }),
    ...(modes.length === MODES.length ? {} : { modes }),
    quiet: quietHours(text(values, 'quiet'))
  };
  return { rule, qpu: text(values, 'qpu') || null, group: text(values, 'group') || null };
}
