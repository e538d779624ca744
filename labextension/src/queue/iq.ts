import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDrawing, IExperiment } from '../drawings';
import { percent } from '../units';
import { shotsOf } from '../words';

type Point = readonly [number, number];

/** Points in the IQ plane, told apart, and the square that holds them. */
export interface IIqPlane {
  readonly points: readonly Point[];
  /** 0 or 1 for each point; all 0 where nobody has told them apart. */
  readonly bits: readonly number[];
  /** How many were measured; `points` may be an even selection of them. */
  readonly total: number;
  /** Whether the point is the mean of all shots. */
  readonly averaged: boolean;
  /** The centres of 0 and 1 and two ends of the threshold between them; null where they are not known. */
  readonly threshold: {
    readonly centres: readonly Point[];
    readonly line: readonly Point[];
  } | null;
  /** The chance to read a bit right, 0 to 1. */
  readonly fidelity: number | null;
  readonly units: string;
  /** The middle of the square, and half of its side. */
  readonly centre: Point;
  readonly reach: number;
}

/** Points that are drawn of a result which says none itself: enough to see clouds, few enough to draw at once. */
const MOST = 4000;

function isPoint(value: unknown): value is Point {
  return (
    Array.isArray(value) && value.length === 2 && value.every(part => typeof part === 'number')
  );
}

/** What is drawn of points whose driver did not say: those of each classical bit, not told apart. */
export function pointDrawings({ data, header, meas_level, meas_return }: IExperiment): IDrawing[] {
  if (meas_level !== 1 || !Array.isArray(data.memory)) {
    return [];
  }
  const averaged = meas_return === 'avg';
  const shots: unknown[] = averaged ? [data.memory] : data.memory;
  return Array.from({ length: header.memory_slots }, (_, bit) => {
    const all = shots.map(shot => (Array.isArray(shot) ? shot[bit] : null)).filter(isPoint);
    const step = Math.ceil(all.length / MOST);
    const points = all.filter((_, n) => n % step === 0);
    const [i, q] = ([0, 1] as const).map(part => points.map(point => point[part]));
    return { draw: 'iq', label: `Classical bit ${bit}`, i, q, total: all.length, averaged };
  }).filter(({ total }) => total > 0);
}

/** The plane of a drawing; null where it has no points. */
export function planeOf(drawing: IDrawing): IIqPlane | null {
  const { averaged, fidelity, total } = drawing;
  const [is, qs, told] = [drawing.i, drawing.q, drawing.bits].map(list);
  const found = (is ?? []).flatMap((i, n) => {
    const point = [i, qs?.[n]];
    return isPoint(point) ? [{ point, bit: told?.[n] === 1 ? 1 : 0 }] : [];
  });
  if (found.length === 0) {
    return null;
  }
  const points = found.map(({ point }) => point);
  const [centres, line] = [drawing.centres, drawing.line].map(value => list(value).filter(isPoint));
  const apart = centres?.length === 2 && String(centres[0]) !== String(centres[1]);
  const threshold = apart && line?.length === 2 ? { centres, line } : null;
  const inside = [...points, ...(threshold?.centres ?? [])];
  const range = (part: 0 | 1): Point => {
    const values = inside.map(point => point[part]);
    return [
      values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
      values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
    ];
  };
  const [i, q] = [range(0), range(1)];
  const half = Math.max(i[1] - i[0], q[1] - q[0]) / 2;
  return {
    points,
    bits: found.map(({ bit }) => bit),
    total: typeof total === 'number' ? total : points.length,
    averaged: averaged === true,
    threshold,
    units: typeof drawing.units === 'string' ? drawing.units : 'arb. unit',
    fidelity: threshold && typeof fidelity === 'number' ? fidelity : null,
    centre: [(i[0] + i[1]) / 2, (q[0] + q[1]) / 2],
    // A single point has no spread of its own
    reach: 1.08 * half || Math.max(Math.hypot(i[0], q[0]) / 2, 1)
  };
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The points in layers, so that where many lie on each other it gets darker. */
export function layers<T>(points: readonly T[], most = 16): readonly (readonly T[])[] {
  const count = Math.min(most, points.length);
  return Array.from({ length: count }, (_, layer) => points.filter((_, n) => n % count === layer));
}

/** Whose points they are. */
export function saidOf(plane: IIqPlane, trans: TranslationBundle): string {
  return plane.averaged ? trans.__('The mean of all shots') : shotsOf(plane.total, trans);
}

/** What the points are, in words: `told_of_points` of the notebook's picture. */
export function toldOf(plane: IIqPlane, trans: TranslationBundle): string {
  const [said, drawn] = [saidOf(plane, trans), plane.points.length];
  const some = drawn < plane.total;
  const ones = plane.bits.filter(bit => bit === 1).length.toLocaleString();
  const read = some
    ? trans.__('%1 of these read as 1, beyond the dashed threshold', ones)
    : trans.__('%1 read as 1, beyond the dashed threshold', ones);
  const words = [
    some ? trans.__('%1, %2 of them drawn', said, drawn) : said,
    plane.threshold && !plane.averaged && read,
    plane.fidelity !== null && trans.__('assignment fidelity %1', percent(plane.fidelity))
  ];
  return `${words.filter(Boolean).join('; ')}.`;
}
