import type { TranslationBundle } from '@jupyterlab/translation';

import { type ISchema, shown, valuesOf } from '../board/schema';
import {
  amount,
  BadField,
  checked,
  count,
  length,
  momentIn,
  nameIn,
  names,
  text,
  type Values
} from '../board/values';
import type {
  BookingRule,
  BookingRuleIn,
  JoinLinkIn,
  NoticeIn,
  QuietHours,
  SimulatorIn,
  TimeRequestAnswer,
  UserChange
} from '../wire';

/** The part of a change that was touched, so that nobody else's change is undone; all roles are one field. */
export function touchedPart<T extends object>(body: T, touched: ReadonlySet<string>): Partial<T> {
  const names = new Set([...touched].map(name => (name.startsWith('role-') ? 'roles' : name)));
  return Object.fromEntries(Object.entries(body).filter(([name]) => names.has(name))) as Partial<T>;
}

const PASSWORD_LENGTH = 10;

/** The password that a local account begins with; null where there is to be none. */
export function passwordIn(values: Values): string | null {
  const written = values.password;
  if (typeof written !== 'string' || written === '') {
    return null;
  }
  if (written.length < PASSWORD_LENGTH) {
    throw new BadField(`The password must have at least ${PASSWORD_LENGTH} characters.`);
  }
  return written;
}

/** The options as one line each. */
export function optionLines(given: Readonly<Record<string, unknown>>): string {
  return Object.entries(given)
    .map(([name, value]) => `${name} = ${shown(value)}`)
    .join('\n');
}

export function simulatorOf(values: Values, schema: ISchema): SimulatorIn {
  const qpu = text(values, 'qpu');
  return {
    name: nameIn(values, 'name'),
    executor: text(values, 'executor'),
    places: count(values, 'places'),
    options: valuesOf(schema, values),
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
    start_at: momentIn(values, 'start_at'),
    end_at: momentIn(values, 'end_at')
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

/** The limits of a booking rule that are lengths of time, and what is said of each. */
export const LENGTHS = [
  'granularity_s',
  'shortest_s',
  'longest_s',
  'horizon_s',
  'no_show_s'
] as const;

export function lengthWords(
  trans: TranslationBundle
): Readonly<Record<(typeof LENGTHS)[number], string>> {
  return {
    granularity_s: trans.__('Granularity'),
    shortest_s: trans.__('Minimum length'),
    longest_s: trans.__('Maximum length'),
    horizon_s: trans.__('Book ahead up to'),
    no_show_s: trans.__('Release if unused for')
  };
}

const MODES = ['priority', 'exclusive', 'maintenance'] as const;
const QUIET =
  /^(\d\d:\d\d)\s*[-–]\s*(\d\d:\d\d)(?:\s+([0-6](?:,[0-6])*))?(?:\s+([A-Za-z_]+(?:\/\S+)?))?$/;

/** Quiet hours, one a line: `22:00-06:00`, then if need be days (`0,1`; 0 is Monday) and a time zone. */
export function quietHours(written: string): readonly QuietHours[] {
  const lines = written.split('\n').filter(line => line.trim() !== '');
  return lines.map(line => {
    const found = QUIET.exec(line.trim());
    if (found === null) {
      throw new BadField(
        `“${line.trim()}” cannot be read as quiet hours. Example: 22:00-06:00 5,6 Europe/Berlin.`
      );
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

/** A form's fields as a join link. */
export function joinLinkOf(values: Values): JoinLinkIn {
  const allowance = text(values, 'allowance');
  return {
    name: text(values, 'name'),
    group: text(values, 'group') || null,
    allowance_s: allowance === '' ? null : amount(allowance),
    uses: count(values, 'uses'),
    days: count(values, 'days')
  };
}
