import type { IDrawing } from '../drawings';
import type { IBar } from './counts';

/** Lines over a common axis; where a value is null, a line has a gap. */
export interface ILines {
  readonly x: readonly number[];
  readonly lines: readonly {
    readonly label: string;
    readonly y: readonly (number | null)[];
    /** Points alone, with no line between them. */
    readonly dots: boolean;
  }[];
  readonly x_label: string;
  readonly y_label: string;
  readonly note: string;
  /** Lines go on over their gaps: what lies there are points of others. */
  readonly joined: boolean;
}

/** Values over two axes, one row for each y; null where there is none. */
export interface IHeatMap {
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly z: readonly (readonly (number | null)[])[];
  readonly x_label: string;
  readonly y_label: string;
  readonly z_label: string;
  readonly note: string;
}

/** Values with their errors; null where one is not known. */
export interface IErrorBars {
  readonly points: readonly {
    readonly label: string;
    readonly value: number | null;
    readonly error: number | null;
  }[];
  readonly x_label: string;
  readonly y_label: string;
  readonly note: string;
}

export interface ITable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly note: string;
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isNumber = (value: unknown): value is number => typeof value === 'number';
const orNull = (value: unknown): number | null => (isNumber(value) ? value : null);
const text = (value: unknown): string => (isText(value) ? value : '');

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function part(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

/** The bars of a histogram; none where it is not one. */
export function barsOf({ bars, outcomes }: IDrawing): IBar[] {
  const found = list(bars).flatMap((bar): IBar[] => {
    const [label, count, share] = ['label', 'count', 'share'].map(name => part(bar, name));
    return isText(label) && isNumber(count) && isNumber(share)
      ? [{ outcome: part(bar, 'rest') === true ? null : label, count, share, outcomes: 1 }]
      : [];
  });
  const others = (isNumber(outcomes) ? outcomes : 0) - found.length + 1;
  const place = ({ outcome }: IBar) => (outcome === null ? 1 : 0);
  return found
    .map(bar => (bar.outcome === null ? { ...bar, outcomes: others } : bar))
    .sort((a, b) => place(a) - place(b) || ((a.outcome ?? '') < (b.outcome ?? '') ? -1 : 1));
}

/** A driver says what is drawn, and may be of any version: what is not as expected is left out. */
export function linesOf(drawing: IDrawing): ILines | null {
  const x = list(drawing.x);
  const lines = list(drawing.lines).map(line => ({
    label: text(part(line, 'label')),
    y: list(part(line, 'y')).map(orNull),
    dots: part(line, 'dots') === true
  }));
  return x.length > 0 && x.every(isNumber) && lines.some(line => line.y.some(isNumber))
    ? {
        x: x.filter(isNumber),
        lines,
        x_label: text(drawing.x_label),
        y_label: text(drawing.y_label),
        note: text(drawing.note),
        joined: drawing.joined === true
      }
    : null;
}

export function heatMapOf(drawing: IDrawing): IHeatMap | null {
  const [x, y] = [list(drawing.x).filter(isNumber), list(drawing.y).filter(isNumber)];
  const z = list(drawing.z).map(row => list(row).map(orNull));
  return x.length > 0 && z.length === y.length && z.some(row => row.some(isNumber))
    ? {
        x,
        y,
        z,
        x_label: text(drawing.x_label),
        y_label: text(drawing.y_label),
        z_label: text(drawing.z_label),
        note: text(drawing.note)
      }
    : null;
}

/** So many colours tell the cells of a heat map apart. */
const SHADES = 64;

/** The cells of each colour as one path: a map of ten thousand points is a few dozen elements. */
export function patchesOf(
  { x, y, z }: IHeatMap,
  placeX: (value: number) => number,
  placeY: (value: number) => number
): ReadonlyMap<string, string> {
  const [low, high] = extent(z.flat());
  const [across, up] = [cellsOf(x), cellsOf(y)];
  const patches = new Map<string, string>();
  const at = (value: number) => value.toFixed(1);
  z.forEach((row, j) => {
    const [bottom, top] = (up[j] ?? []).map(placeY).map(at);
    row.forEach((value, i) => {
      const [left, right] = (across[i] ?? []).map(placeX).map(at);
      if (value !== null && left && bottom) {
        const share = (value - low) / (high - low || 1);
        const colour = colourOf(Math.round(SHADES * share) / SHADES);
        const cell = `M${left} ${top}H${right}V${bottom}H${left}z`;
        patches.set(colour, (patches.get(colour) ?? '') + cell);
      }
    });
  });
  return patches;
}

/** Viridis at even steps: it reads the same in grey and to the colour-blind. */
const SCALE = [
  [68, 1, 84],
  [59, 82, 139],
  [33, 145, 140],
  [94, 201, 98],
  [253, 231, 37]
] as const;

/** The colour of a share from 0 to 1. */
export function colourOf(share: number): string {
  const place = 4 * Math.min(1, Math.max(0, share));
  const first = Math.min(3, Math.floor(place));
  const [from, to] = [SCALE[first] ?? SCALE[0], SCALE[first + 1] ?? SCALE[4]];
  const part = (n: 0 | 1 | 2) => Math.round(from[n] + (to[n] - from[n]) * (place - first));
  return `rgb(${part(0)} ${part(1)} ${part(2)})`;
}

/** How far the cell of each value reaches: half way to its neighbours. */
export function cellsOf(values: readonly number[]): readonly (readonly [number, number])[] {
  const ordered = [...new Set(values)].sort((a, b) => a - b);
  const reach = new Map(
    ordered.map((value, n) => {
      const [before, after] = [ordered[n - 1], ordered[n + 1]];
      const low = before === undefined ? null : (before + value) / 2;
      const high = after === undefined ? null : (value + after) / 2;
      const first = low ?? (high === null ? value - 0.5 : 2 * value - high);
      return [value, [first, high ?? (low === null ? value + 0.5 : 2 * value - low)] as const];
    })
  );
  return values.map(value => reach.get(value) ?? [value, value]);
}

/** The points of a line as dots, as an SVG path: a line of no length with round ends is one. */
export function dotsOf(
  x: readonly number[],
  y: readonly (number | null)[],
  placeX: (value: number) => number,
  placeY: (value: number) => number
): string {
  return x
    .map((at, n) => {
      const value = y[n] ?? null;
      return value === null ? '' : `M${placeX(at).toFixed(1)} ${placeY(value).toFixed(1)}h0`;
    })
    .join('');
}

export function errorBarsOf(drawing: IDrawing): IErrorBars | null {
  const points = list(drawing.points).map(point => ({
    label: text(part(point, 'label')),
    value: orNull(part(point, 'value')),
    error: orNull(part(point, 'error'))
  }));
  return points.length > 0
    ? {
        points,
        x_label: text(drawing.x_label),
        y_label: text(drawing.y_label),
        note: text(drawing.note)
      }
    : null;
}

export function tableOf(drawing: IDrawing): ITable | null {
  const columns = list(drawing.columns).map(text);
  return columns.length > 0
    ? {
        columns,
        rows: list(drawing.rows).map(row => list(row).map(text)),
        note: text(drawing.note)
      }
    : null;
}

/** The smallest and the largest of some numbers. */
export function extent(values: readonly (number | null)[]): readonly [number, number] {
  const known = values.filter(isNumber);
  return [
    known.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
    known.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  ];
}

/** The stretches of a line between its gaps, or all of it `joined`, as an SVG path. */
export function pathOf(
  x: readonly number[],
  y: readonly (number | null)[],
  placeX: (value: number) => number,
  placeY: (value: number) => number,
  joined = false
): string {
  let pen = 'M';
  return x
    .map((at, n) => {
      const value = y[n] ?? null;
      if (value === null) {
        pen = joined ? pen : 'M';
        return '';
      }
      // A line of no length is a dot: what stands alone between two gaps is seen, too
      const dot = pen === 'M' ? 'h0' : '';
      const step = `${pen}${placeX(at).toFixed(1)} ${placeY(value).toFixed(1)}${dot}`;
      pen = 'L';
      return step;
    })
    .join('');
}
