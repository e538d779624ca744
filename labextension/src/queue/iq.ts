import type { IExperiment } from '../drawings';

/** The points of one classical bit in the IQ plane, and the square that holds them. */
export interface IIqPlane {
  readonly points: readonly (readonly [number, number])[];
  /** How many were measured; `points` may be an even selection of them. */
  readonly total: number;
  /** Whether the point is the mean of all shots. */
  readonly averaged: boolean;
  /** How the points are told apart, where that is known. */
  readonly apart: IApart | null;
  /** The middle of the square, and half of its side. */
  readonly centre: readonly [number, number];
  readonly reach: number;
}

export interface IApart {
  /** Of each point. */
  readonly bits: readonly number[];
  /** The middles of 0 and 1. */
  readonly centres: readonly Point[];
  /** Two ends of the threshold. */
  readonly line: readonly Point[];
  /** The chance to read a bit right, 0 to 1. */
  readonly fidelity: number | null;
}

/** Points that are drawn: enough to see clouds, few enough to draw at once. */
const MOST = 4000;

export type Point = readonly [number, number];

export function isPoint(value: unknown): value is Point {
  return (
    Array.isArray(value) && value.length === 2 && value.every(part => typeof part === 'number')
  );
}

/** The plane of one classical bit; null where the result holds no points of it. */
export function iqPlane(experiment: IExperiment, bit: number): IIqPlane | null {
  const { data, meas_level, meas_return } = experiment;
  if (meas_level !== 1 || !Array.isArray(data.memory)) {
    return null;
  }
  const averaged = meas_return === 'avg';
  const shots: unknown[] = averaged ? [data.memory] : data.memory;
  const all = shots.map(shot => (Array.isArray(shot) ? shot[bit] : null)).filter(isPoint);
  const step = Math.ceil(all.length / MOST);
  return planeOf(
    all.filter((_, n) => n % step === 0),
    all.length,
    averaged
  );
}

/** The plane of points that are chosen already, of `total`; null where there are none. */
export function planeOf(
  points: readonly Point[],
  total: number,
  averaged: boolean,
  apart: IApart | null = null
): IIqPlane | null {
  const range = (part: 0 | 1): Point => {
    const values = points.map(point => point[part]);
    return [
      values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
      values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
    ];
  };
  if (points.length === 0) {
    return null;
  }
  const [i, q] = [range(0), range(1)];
  const half = Math.max(i[1] - i[0], q[1] - q[0]) / 2;
  return {
    points,
    total,
    averaged,
    apart,
    centre: [(i[0] + i[1]) / 2, (q[0] + q[1]) / 2],
    // A single point has no spread of its own
    reach: 1.08 * half || Math.max(Math.hypot(i[0], q[0]) / 2, 1)
  };
}

/** Round numbers in an interval, about four of them. */
export function ticks(lowest: number, highest: number): readonly number[] {
  const rough = (highest - lowest) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(digit => digit * power).find(wide => wide >= rough) ?? rough;
  const first = Math.ceil(lowest / step);
  const count = Math.floor(highest / step) - first + 1;
  return Array.from({ length: count }, (_, n) => (first + n) * step);
}

/** The points in layers, so that where many lie on each other it gets darker. */
export function layers(points: readonly Point[], most = 16): readonly (readonly Point[])[] {
  const count = Math.min(most, points.length);
  return Array.from({ length: count }, (_, layer) => points.filter((_, n) => n % count === layer));
}
