import type { IDrawing, IExperiment } from '../drawings';

/** Bars shown; the outcomes that came less often are one bar together. */
export const BARS = 32;

export interface IBar {
  /** The outcome; null for all the others together. */
  readonly outcome: string | null;
  readonly count: number;
  /** Of all shots, 0 to 1. */
  readonly share: number;
  /** How many outcomes the bar stands for. */
  readonly outcomes: number;
}

/** A circuit's counts as bars, in the outcomes' order; with more than fit, the most frequent ones. */
export function bars(counts: Readonly<Record<string, number>>): IBar[] {
  const entries = Object.entries(counts);
  const all = entries.reduce((sum, [, count]) => sum + count, 0);
  const bar = (outcome: string | null, count: number, outcomes: number): IBar => ({
    outcome,
    count,
    share: all > 0 ? count / all : 0,
    outcomes
  });
  const kept = entries.sort((a, b) => b[1] - a[1]).slice(0, BARS);
  const others = entries.slice(BARS);
  const shown = kept
    .sort((a, b) => (a[0] < b[0] ? -1 : 1))
    .map(([outcome, count]) => bar(outcome, count, 1));
  if (others.length > 0) {
    const rest = others.reduce((sum, [, count]) => sum + count, 0);
    shown.push(bar(null, rest, others.length));
  }
  return shown;
}

/** Counts by their bits as Qiskit writes them, the last register first, from counts by hexadecimal numbers. */
export function byOutcome(
  counts: Readonly<Record<string, number>>,
  { creg_sizes, memory_slots }: IExperiment['header']
): Record<string, number> {
  const ends: number[] = [];
  for (const [, size] of creg_sizes ?? []) {
    ends.push((ends.at(-1) ?? 0) + size);
  }
  const outcome = (hex: string) => {
    const bits = BigInt(hex).toString(2).padStart(memory_slots, '0');
    if (ends.at(-1) !== memory_slots) {
      return bits; // loose or shared bits: registers would lose some
    }
    const parts = ends.map((end, n) =>
      bits.slice(bits.length - end, bits.length - (ends[n - 1] ?? 0))
    );
    return parts.reverse().join(' ');
  };
  return Object.fromEntries(Object.entries(counts).map(([hex, count]) => [outcome(hex), count]));
}

/** All circuits' counts as a table: circuit, outcome, count. */
export function countsCsv(circuits: readonly Readonly<Record<string, number>>[]): string {
  const lines = ['circuit,outcome,count'];
  circuits.forEach((counts, circuit) => {
    for (const [outcome, count] of Object.entries(counts)) {
      lines.push(`${circuit},${outcome},${count}`);
    }
  });
  return `${lines.join('\n')}\n`;
}

/** As `counts` in qpi_jupyter/data/drawings.py. */
export function countsDrawing(counts: Readonly<Record<string, number>>, label: string): IDrawing {
  return {
    draw: 'counts',
    label,
    shots: Object.values(counts).reduce((sum, count) => sum + count, 0),
    outcomes: Object.keys(counts).length,
    bars: bars(counts).map(({ outcome, count, share, outcomes }) => ({
      label: outcome ?? `${outcomes.toLocaleString('en')} other outcomes`,
      count,
      share: Number(share.toFixed(6)),
      rest: outcome === null
    }))
  };
}
