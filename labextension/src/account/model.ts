import type { TranslationBundle } from '@jupyterlab/translation';
import { checked, seconds, text, type Values } from '../board/values';
import { isOfJob } from '../jobs';
import { allowed } from '../sections';
import type {
  EntryModel,
  LabEvent,
  Me,
  StatementLine,
  TimeRequestIn,
  TimeRequestModel,
  TokenIn,
  UserModel
} from '../wire';

/** The sections of the tab in their order, and what one must be allowed to see each. */
const SECTIONS = {
  time: 'time:read',
  usage: 'time:read',
  tokens: 'tokens',
  profile: 'profile:edit'
} as const;

export type SectionId = keyof typeof SECTIONS;

/** The sections that somebody with these permissions sees. */
export function sectionsFor(permissions: readonly string[]): readonly SectionId[] {
  return allowed(SECTIONS, permissions);
}

const GROUP = 'group:';

/** The accounts that are somebody's: their own and those of their groups. */
export function accountsOf(user: Pick<UserModel, 'name' | 'groups'>): readonly string[] {
  return [user.name, ...user.groups.map(group => GROUP + group)];
}

/** The group whose account it is; null for a person's. */
export function groupOf(account: string): string | null {
  return account.startsWith(GROUP) ? account.slice(GROUP.length) : null;
}

/** Whether `event` changes what is left of an account. */
export function isCharge(event: LabEvent): boolean {
  switch (event.kind) {
    case 'balance.changed':
    case 'account.changed':
      return true;
    default:
      return isOfJob(event) && event.data.ledger !== undefined;
  }
}

export function isRequest({ kind }: LabEvent): boolean {
  return kind === 'time_request.changed';
}

export function isPerson({ kind }: LabEvent): boolean {
  return kind === 'person.changed' || kind === 'group.changed';
}

export function isToken({ kind }: LabEvent): boolean {
  return kind === 'token.changed';
}

/** The most that a request may ask for (s): as the lab has it. */
const MOST = 1e9;

/** What a form asks for: for oneself, or for the group that it names. */
export function timeRequestOf(values: Values, trans: TranslationBundle): TimeRequestIn {
  const amount = seconds(text(values, 'seconds'));
  if (!(amount > 0 && amount <= MOST)) {
    throw new Error(trans.__('Request more than 0 s and at most 1 000 000 000 s.'));
  }
  const group = text(values, 'group');
  return {
    seconds: amount,
    reason: text(values, 'reason'),
    ...(group === '' ? {} : { group })
  };
}

/** The same once more, for a request that was withdrawn by mistake. */
export function askedAgain(request: TimeRequestModel): TimeRequestIn {
  return { seconds: request.seconds, reason: request.reason, group: groupOf(request.account) };
}

type Scope = 'read' | 'submit' | 'manage';
/** `all` is no scope: such a token may whatever its owner might when it was made. */
export type Reach = Scope | 'all';

/** What somebody with these permissions can give a token; `manage` is all that a manager may. */
export function reaches(permissions: readonly string[]): readonly Reach[] {
  return [
    ...(permissions.includes('jobs:read') ? (['read'] as const) : []),
    ...(permissions.includes('jobs:submit') ? (['submit'] as const) : []),
    permissions.includes('people:manage') ? 'manage' : 'all'
  ];
}

/** How long a new token may be good for (days). */
export const LIVES = [1, 7, 30, 90, 365] as const;
const DAY = 86_400_000;

/** The token that a form describes; without a life it ends when it is revoked. */
export function tokenOf(values: Values, now: number, trans: TranslationBundle): TokenIn {
  const chosen = (['read', 'submit', 'manage', 'all'] as const).filter(reach =>
    checked(values, reach)
  );
  if (chosen.length === 0) {
    throw new Error(trans.__('Choose at least one scope.'));
  }
  const days = Number(text(values, 'days'));
  return {
    name: text(values, 'name'),
    scopes: chosen.includes('all') ? null : chosen.filter(reach => reach !== 'all'),
    expires_at: days > 0 ? new Date(now + days * DAY).toISOString() : null
  };
}

/** Lines for a shell that lead a program elsewhere to the lab. */
export function shellLines(address: string, token: string): string {
  return `export QPI_LAB_URL='${address}'\nexport QPI_LAB_TOKEN='${token}'`;
}

/** Whether the lab keeps the person's password. */
export function hasPassword(me: Me): boolean {
  return me.user.source === 'local';
}

/** The lines of a statement, the newest month first; within it as the lab has them. */
export function newestFirst(lines: readonly StatementLine[]): readonly StatementLine[] {
  return [...lines].sort((a, b) => b.month.localeCompare(a.month));
}

/** The job whose cost a line is; null for a grant, and for a session, whose lines have the attempt 0. */
export function jobOf(entry: EntryModel): string | null {
  return entry.attempt === null || entry.attempt === 0 ? null : entry.job_id;
}

const COLUMNS = [
  'at',
  'kind',
  'amount_s',
  'account',
  'person',
  'qpu',
  'job_id',
  'attempt',
  'reason'
] as const satisfies readonly (keyof EntryModel)[];
/** What a spreadsheet takes for a formula. */
const FORMULA = /^[=+\-@\t\r\n]/;

/** Lines of the ledger as CSV (RFC 4180), as the lab writes its own. */
export function entriesCsv(entries: readonly EntryModel[]): string {
  const rows = entries.map(entry => COLUMNS.map(column => cell(entry[column])));
  return [COLUMNS, ...rows].map(row => `${row.join(',')}\r\n`).join('');
}

function cell(value: string | number | null): string {
  if (typeof value !== 'string') {
    return value === null ? '' : String(value);
  }
  const safe = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
