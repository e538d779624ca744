import type { TranslationBundle } from '@jupyterlab/translation';
import { BadField, length, seconds } from '../board/values';
import type { Policy, PolicyIn, ReplayIn, ReplayResult, Waits } from '../wire';

/** A policy as its form holds it. */
export interface IDraft {
  readonly id: number;
  readonly idle_threshold_s: string;
  readonly backfill_max_s: string;
  readonly fair_share: boolean;
  readonly fair_share_window_s: string;
}

/** Whose jobs are replayed: the last days, a chosen time, or nobody's. */
export type Span =
  | { readonly kind: 'days'; readonly days: number }
  | { readonly kind: 'between'; readonly start: string; readonly end: string }
  | { readonly kind: 'invented' };

export const MOST_POLICIES = 5;
const DAY = 86_400_000;
const LENGTHS = ['idle_threshold_s', 'backfill_max_s', 'fair_share_window_s'] as const;

/** The form of a policy: what is in force, with fair share the other way round as a first idea. */
export function draftOf(id: number, inForce: Policy): IDraft {
  return {
    id,
    idle_threshold_s: length(inForce.idle_threshold_s),
    backfill_max_s: length(inForce.backfill_max_s),
    fair_share: !inForce.fair_share,
    fair_share_window_s: length(inForce.fair_share_window_s)
  };
}

/** What a policy's form changes of the one in force; a time that is none throws `BadField`. */
export function changesOf(draft: IDraft, inForce: Policy): Partial<Policy> {
  const lengths = LENGTHS.map(name => [name, seconds(draft[name])] as const).filter(
    ([name, value]) => value !== inForce[name]
  );
  const fair = draft.fair_share === inForce.fair_share ? {} : { fair_share: draft.fair_share };
  return { ...fair, ...Object.fromEntries(lengths) };
}

/** A policy in a few words: what it changes. */
export function nameOf(changes: Partial<Policy>, trans: TranslationBundle): string {
  const words = [
    changes.fair_share === undefined
      ? null
      : changes.fair_share
        ? trans.__('fair share')
        : trans.__('no fair share'),
    changes.fair_share_window_s === undefined
      ? null
      : trans.__('fair share over %1', length(changes.fair_share_window_s)),
    changes.backfill_max_s === undefined
      ? null
      : trans.__('backfill up to %1', length(changes.backfill_max_s)),
    changes.idle_threshold_s === undefined
      ? null
      : trans.__('idle after %1', length(changes.idle_threshold_s))
  ].filter(word => word !== null);
  return words.join(', ') || trans.__('as in force');
}

/** What the lab is asked: the policy in force, then each other one; `now` is the lab's time. */
export function replayOf(
  span: Span,
  drafts: readonly IDraft[],
  inForce: Policy,
  now: number,
  trans: TranslationBundle
): ReplayIn {
  const others = drafts.map(draft => {
    const changes = changesOf(draft, inForce);
    return { name: nameOf(changes, trans), ...changes };
  });
  const policies: readonly PolicyIn[] = [{ name: nameOf({}, trans) }, ...others];
  const twice = policies.find(({ name }, i) => policies.findIndex(one => one.name === name) < i);
  if (twice !== undefined) {
    throw new BadField(
      trans.__('Two policies are the same (%1): change one of them, or take it away.', twice.name)
    );
  }
  return { policies, ...interval(span, now, trans) };
}

function interval(
  span: Span,
  now: number,
  trans: TranslationBundle
): Pick<ReplayIn, 'start_at' | 'end_at' | 'seed'> {
  if (span.kind === 'invented') {
    return { seed: 1 };
  }
  if (span.kind === 'days') {
    return { start_at: new Date(now - span.days * DAY).toISOString() };
  }
  const [start, end] = [Date.parse(span.start), Date.parse(span.end)];
  if (!(start < end) || start >= now) {
    throw new BadField(
      trans.__('Give a beginning in the past, and an end that is later than the beginning.')
    );
  }
  return { start_at: new Date(start).toISOString(), end_at: new Date(end).toISOString() };
}

export type Unit = 'duration' | 'share' | 'index' | 'count';

/** One figure of all policies. */
export interface IRow {
  readonly id: string;
  readonly label: string;
  readonly unit: Unit;
  readonly values: readonly (number | null)[];
  /** Which values are the best; none where all are alike, or where more is neither better nor worse. */
  readonly best: readonly boolean[];
  /** Each value as a part of the greatest, for its bar. */
  readonly bars: readonly number[];
}

/** Figures that belong together, and what they say. */
export interface IRows {
  readonly id: string;
  readonly title: string;
  readonly text: string;
  readonly rows: readonly IRow[];
}

type Better = 'less' | 'more' | null;

/** The policies' figures side by side. */
export function comparison(
  results: readonly ReplayResult[],
  trans: TranslationBundle
): readonly IRows[] {
  const groups = Object.keys(results[0]?.waits ?? {}).filter(
    name => results[0]?.waits[name]?.jobs !== 0
  );
  return [
    ...groups.map(name => waitRows(name, results, trans)),
    utilisationRows(results, trans),
    fairnessRows(results, trans),
    bookingRows(results, trans)
  ];
}

function waitRows(
  group: string,
  results: readonly ReplayResult[],
  trans: TranslationBundle
): IRows {
  const figures: readonly (readonly [keyof Waits, string])[] = [
    ['mean_s', trans.__('mean')],
    ['p50_s', trans.__('half waited at most')],
    ['p95_s', trans.__('19 of 20 waited at most')]
  ];
  const [title, text] = groupWords(group, trans);
  const jobs = results[0]?.waits[group]?.jobs ?? 0;
  return {
    id: `waits-${group}`,
    title: trans.__('Waiting: %1', title),
    text: `${text} ${trans._n('One job.', '%2 jobs.', jobs, jobs.toLocaleString())}`,
    rows: figures.map(([key, label]) =>
      row(
        `waits-${group}-${key}`,
        label,
        'duration',
        results.map(one => one.waits[group]?.[key] ?? null),
        'less'
      )
    )
  };
}

function groupWords(group: string, trans: TranslationBundle): readonly [string, string] {
  const known: Readonly<Record<string, readonly [string, string]>> = {
    everybody: [trans.__('everybody'), trans.__('From submit to start, over all jobs.')],
    heavy: [
      trans.__('heavy users'),
      trans.__('The people who together used the first half of the QPU time.')
    ],
    regular: [
      trans.__('regular users'),
      trans.__('The people between the heavy and the light ones.')
    ],
    light: [
      trans.__('light users'),
      trans.__('The people who together used the last tenth of the QPU time.')
    ],
    'in own booking': [
      trans.__('in one’s own booking'),
      trans.__('Jobs that were submitted inside a booking of their owner’s.')
    ]
  };
  const level = /^priority (-?\d+)$/.exec(group)?.[1];
  return level === undefined
    ? (known[group] ?? [group, ''])
    : [trans.__('priority %1', level), trans.__('Jobs of this priority; a higher one goes first.')];
}

function utilisationRows(results: readonly ReplayResult[], trans: TranslationBundle): IRows {
  return {
    id: 'utilisation',
    title: trans.__('Use of the QPUs'),
    text: trans.__(
      'The part of the time from the first submit to the last end that a QPU ran jobs.'
    ),
    rows: Object.keys(results[0]?.utilisation ?? {}).map(qpu =>
      row(
        `utilisation-${qpu}`,
        qpu,
        'share',
        results.map(one => one.utilisation[qpu] ?? null),
        'more'
      )
    )
  };
}

function fairnessRows(results: readonly ReplayResult[], trans: TranslationBundle): IRows {
  return {
    id: 'fairness',
    title: trans.__('Fairness'),
    text: trans.__(
      'Jain’s index over people: 1 where all fare alike, near 0 where one does all the waiting, or has all the service.'
    ),
    rows: [
      row(
        'fairness-waits',
        trans.__('of waits'),
        'index',
        results.map(one => one.fairness.waits),
        'more'
      ),
      row(
        'fairness-served',
        trans.__('of service'),
        'index',
        results.map(one => one.fairness.served),
        'more'
      )
    ]
  };
}

function bookingRows(results: readonly ReplayResult[], trans: TranslationBundle): IRows {
  const figures: readonly (readonly [
    string,
    string,
    Unit,
    (one: ReplayResult) => number,
    Better
  ])[] = [
    ['kept', trans.__('bookings that began in time'), 'count', one => one.bookings.kept, 'more'],
    [
      'late',
      trans.__('the latest began late by'),
      'duration',
      one => one.bookings.latest_s,
      'less'
    ],
    ['unused', trans.__('bookings given back unused'), 'count', one => one.bookings.no_show, null],
    [
      'within',
      trans.__('jobs within their upper bound'),
      'share',
      one => one.estimates.within,
      'more'
    ],
    ['never', trans.__('jobs that never ran'), 'count', one => one.never_ran, 'less']
  ];
  return {
    id: 'bookings',
    title: trans.__('Bookings and bounds'),
    text: trans.__(
      'A booking begins in time if no job of somebody else’s is running then; a job that outlasts its upper bound can make one late. %1 bookings in all.',
      results[0]?.bookings.total ?? 0
    ),
    rows: figures.map(([id, label, unit, of, better]) =>
      row(`bookings-${id}`, label, unit, results.map(of), better)
    )
  };
}

function row(
  id: string,
  label: string,
  unit: Unit,
  values: readonly (number | null)[],
  better: Better
): IRow {
  const known = values.filter(value => value !== null);
  const greatest = unit === 'duration' || unit === 'count' ? Math.max(...known) : 1;
  const shown = values.map(value => figureOf(value, unit));
  const most = better === 'less' ? Math.min(...known) : Math.max(...known);
  const alike = new Set(shown).size < 2; // a difference that is not seen is none
  return {
    id,
    label,
    unit,
    values,
    best: shown.map(text => better !== null && !alike && text === figureOf(most, unit)),
    bars: values.map(value => (value === null || greatest <= 0 ? 0 : value / greatest))
  };
}

/** A figure as people read it. */
export function figureOf(value: number | null, unit: Unit): string {
  if (value === null) {
    return '–';
  }
  switch (unit) {
    case 'share':
      return `${(100 * value).toFixed(1)} %`;
    case 'index':
      return value.toFixed(3);
    case 'count':
      return value.toLocaleString();
    case 'duration':
      return value >= 5400
        ? `${(value / 3600).toFixed(1)} h`
        : value >= 90
          ? `${(value / 60).toFixed(1)} min`
          : `${value.toFixed(1)} s`;
  }
}

/** The comparison for a spreadsheet: plain numbers, durations in seconds. */
export function csvOf(results: readonly ReplayResult[], trans: TranslationBundle): string {
  const lines = comparison(results, trans).flatMap(group =>
    group.rows.map(({ label, unit, values }) => [
      group.title,
      label,
      unit === 'duration' ? 's' : '',
      ...values.map(value => (value === null ? '' : `${value}`))
    ])
  );
  const head = ['', '', trans.__('unit'), ...results.map(({ name }) => name)];
  return `${[head, ...lines].map(cells => cells.map(quoted).join(',')).join('\r\n')}\r\n`;
}

function quoted(cell: string): string {
  // A spreadsheet takes a text that begins like this for a formula.
  const safe = /^[=+@\t]/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** How each person waited under each policy; who had most jobs comes first. */
export function byPerson(
  results: readonly ReplayResult[]
): readonly { readonly name: string; readonly jobs: number; readonly row: IRow }[] {
  const names = new Set(results.flatMap(one => Object.keys(one.people)));
  return [...names]
    .map(name => ({
      name,
      jobs: Math.max(...results.map(one => one.people[name]?.jobs ?? 0)),
      row: row(
        `person-${name}`,
        name,
        'duration',
        results.map(one => one.people[name]?.mean_s ?? null),
        'less'
      )
    }))
    .sort((a, b) => b.jobs - a.jobs || a.name.localeCompare(b.name));
}
