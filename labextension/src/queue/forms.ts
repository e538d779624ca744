import type { IDrawing } from '../drawings';

/** Lines over a common axis; where a value is null, a line has a gap. */
export interface ILines {
  readonly x: readonly number[];
  readonly lines: readonly { readonly label: string; readonly y: readonly (number | null)[] }[];
  readonly x_label: string;
  readonly y_label: string;
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

/** A driver says what is drawn, and may be of any version: what is not as expected is left out. */
export function linesOf(drawing: IDrawing): ILines | null {
  const x = list(drawing.x);
  const lines = list(drawing.lines).map(line => ({
    label: text(part(line, 'label')),
    y: list(part(line, 'y')).map(orNull)
  }));
  return x.length > 0 && x.every(isNumber) && lines.some(line => line.y.some(isNumber))
    ? {
        x: x.filter(isNumber),
        lines,
        x_label: text(drawing.x_label),
        y_label: text(drawing.y_label),
        note: text(drawing.note)
      }
    : null;
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

/** The stretches of a line between its gaps, as an SVG path. */
export function pathOf(
  x: readonly number[],
  y: readonly (number | null)[],
  placeX: (value: number) => number,
  placeY: (value: number) => number
): string {
  let pen = 'M';
  return x
    .map((at, n) => {
      const value = y[n] ?? null;
      if (value === null) {
        pen = 'M';
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
