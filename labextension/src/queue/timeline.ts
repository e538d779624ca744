import { quantity } from '../units';
import type { PreviewedPulse, PulseRow } from '../wire';

/** From when to when, in seconds. */
export type Span = readonly [number, number];

/** What the ports of a QPU play during one shot: see qpi_jupyter/data/drawings.py. */
export interface ITimeline {
  readonly rows: readonly PulseRow[];
  readonly pulses: readonly PreviewedPulse[];
  readonly whole: Span;
  /** How many pulses there are: the first ones are here. */
  readonly total: number;
  readonly note: string;
}

/** No closer look than this. */
const SHORTEST_S = 1e-9;
const ROWS = 1_000;
const PULSES = 5_000;
const KINDS: readonly PulseRow['kind'][] = [
  'drive',
  'flux',
  'readout',
  'acquisition',
  'phase',
  'other'
];

type Fields = Readonly<Record<string, unknown>>;

/** A timeline as somebody wrote it; null where there is nothing to draw. */
export function timelineOf(given: Fields): ITimeline | null {
  const rows = listed(given.rows)
    .slice(0, ROWS)
    .map(row => ({ port: text(row.port), qubit: text(row.qubit), kind: kindOf(row.kind) }));
  const pulses = listed(given.pulses)
    .slice(0, PULSES)
    .flatMap((pulse): PreviewedPulse[] => {
      const [row, start_s] = [number(pulse.row), number(pulse.start_s)];
      const known = row !== null && rows[row] !== undefined && start_s !== null;
      return known ? [{ ...rest(pulse), row, start_s }] : [];
    });
  if (rows.length === 0 || pulses.length === 0) {
    return null;
  }
  const total = number(given.total_pulses) ?? pulses.length;
  const starts = pulses.map(pulse => pulse.start_s);
  const ends = pulses.map(pulse => pulse.start_s + pulse.duration_s);
  const first = Math.min(0, ...starts);
  const last = Math.max(number(given.duration_s) ?? 0, ...ends, first + SHORTEST_S);
  return { rows, pulses, whole: [first, last], total, note: text(given.note) };
}

function rest(pulse: Fields): Omit<PreviewedPulse, 'row' | 'start_s'> {
  return {
    label: text(pulse.label),
    kind: kindOf(pulse.kind),
    duration_s: Math.max(0, number(pulse.duration_s) ?? 0),
    clock: text(pulse.clock),
    amplitude: number(pulse.amplitude),
    phase_deg: number(pulse.phase_deg) ?? 0
  };
}

/** A closer look, or one from farther away: `factor` of the span, around a share of it that stays where it is. */
export function zoomed([from, to]: Span, whole: Span, factor: number, around = 0.5): Span {
  const length = Math.min(Math.max((to - from) * factor, SHORTEST_S), whole[1] - whole[0]);
  const at = from + around * (to - from);
  return within(at - around * length, length, whole);
}

/** A look at what is earlier or later, by a share of what is looked at. */
export function moved([from, to]: Span, whole: Span, share: number): Span {
  return within(from + share * (to - from), to - from, whole);
}

function within(from: number, length: number, [first, last]: Span): Span {
  const start = Math.min(Math.max(from, first), last - length);
  return [start, start + length];
}

/** Those of which anything is within the span. */
export function pulsesIn(timeline: ITimeline, [from, to]: Span): readonly PreviewedPulse[] {
  return timeline.pulses.filter(
    pulse => pulse.start_s <= to && pulse.start_s + pulse.duration_s >= from
  );
}

/** A moment, or a length. */
export function time(seconds: number): string {
  return seconds === 0 ? '0 s' : quantity(seconds, 's');
}

function listed(value: unknown): readonly Fields[] {
  return Array.isArray(value)
    ? value.filter((one): one is Fields => typeof one === 'object' && one !== null)
    : [];
}

function kindOf(value: unknown): PulseRow['kind'] {
  return KINDS.find(kind => kind === value) ?? 'other';
}

function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 200) : '';
}
