import type { IDrawing, IExperiment } from '../drawings';
import { byOutcome } from './counts';
import { type ILines, linesOf } from './forms';

/** One circuit's result among those that are compared. */
export interface ICompared {
  readonly name: string;
  readonly experiment: IExperiment;
}

/** Rows of the table: the outcomes that differ most. */
const MOST = 16;

/** Results over one another: curves, or shares with their differences; null where they have nothing in common. */
export function comparedOf(all: readonly ICompared[]): IDrawing | null {
  return curvesOf(all) ?? sharesOf(all);
}

function curvesOf(all: readonly ICompared[]): IDrawing | null {
  const found = all.map(({ experiment }) => {
    const [drawing] = experiment.row === 0 ? (experiment.drawings ?? []) : [];
    return drawing?.draw === 'lines' ? linesOf(drawing) : null;
  });
  const curves = found.filter(lines => lines !== null);
  const [first] = curves;
  if (!first || curves.length < all.length) {
    return null;
  }
  // The last one that all have: of outcomes that is the one with most ones
  const [label] = first.lines
    .map(line => line.label)
    .filter(name => curves.every(curve => lineOf(curve, name)))
    .slice(-1);
  if (label === undefined) {
    return null;
  }
  const x = [...new Set(curves.flatMap(curve => curve.x))].sort((a, b) => a - b);
  const lines = curves.map((curve, n) => {
    const known = new Map(curve.x.map((at, k) => [at, lineOf(curve, label)?.y[k] ?? null]));
    return { label: all[n]?.name ?? '', y: x.map(at => known.get(at) ?? null) };
  });
  const y_label = label ? `${first.y_label} of ${label}` : first.y_label;
  return {
    draw: 'lines',
    label: '',
    x,
    lines,
    x_label: first.x_label,
    y_label,
    joined: true,
    note: ''
  };
}

function lineOf(curve: ILines, label: string) {
  return curve.lines.find(line => line.label === label);
}

function sharesOf(all: readonly ICompared[]): IDrawing | null {
  const shares = all.map(({ experiment }) => {
    const counts = experiment.data.counts;
    const keyed = counts ? byOutcome(counts, experiment.header) : {};
    const shots = Object.values(keyed).reduce((sum, count) => sum + count, 0);
    return new Map(Object.entries(keyed).map(([outcome, count]) => [outcome, count / shots]));
  });
  const [first, ...others] = shares;
  if (!first || shares.some(one => one.size === 0)) {
    return null;
  }
  const outcomes = [...new Set(shares.flatMap(one => [...one.keys()]))];
  const away = (outcome: string) =>
    Math.max(...others.map(one => Math.abs((one.get(outcome) ?? 0) - (first.get(outcome) ?? 0))));
  const shown = outcomes
    .sort((a, b) => away(b) - away(a))
    .slice(0, MOST)
    .sort();
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const signed = (share: number) => `${share > 0 ? '+' : ''}${percent(share)}`;
  const names = all.map(one => one.name);
  return {
    draw: 'table',
    label: '',
    columns: ['', ...names, ...names.slice(1).map(name => `${name} − ${names[0]}`)],
    rows: shown.map(outcome => [
      outcome,
      ...shares.map(one => percent(one.get(outcome) ?? 0)),
      ...others.map(one => signed((one.get(outcome) ?? 0) - (first.get(outcome) ?? 0)))
    ]),
    note: ''
  };
}
