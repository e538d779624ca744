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

/** Counts by their bits, as people read them, from counts by hexadecimal numbers. */
export function byOutcome(
  counts: Readonly<Record<string, number>>,
  bits: number
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(counts).map(([hex, count]) => [
      BigInt(hex).toString(2).padStart(bits, '0'),
      count
    ])
  );
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
