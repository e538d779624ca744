/** Viridis: even in brightness, so that it reads without colour vision and in print. */
const VIRIDIS = [
  [68, 1, 84],
  [72, 40, 120],
  [62, 74, 137],
  [49, 104, 142],
  [38, 130, 142],
  [31, 158, 137],
  [53, 183, 121],
  [110, 206, 88],
  [181, 222, 43],
  [253, 231, 37]
] as const;

type Rgb = readonly [number, number, number];

function mixed(share: number): Rgb {
  const at = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
  const low = VIRIDIS[Math.floor(at)] ?? VIRIDIS[0];
  const high = VIRIDIS[Math.ceil(at)] ?? low;
  const part = at - Math.floor(at);
  const channel = (n: 0 | 1 | 2) => Math.round(low[n] + part * (high[n] - low[n]));
  return [channel(0), channel(1), channel(2)];
}

/** The colour of a share of the scale, from 0 to 1. */
export function viridis(share: number): string {
  return `rgb(${mixed(share).join(', ')})`;
}

/** Black or white, whichever reads better on that colour. */
export function inkOn(share: number): string {
  const [r, g, b] = mixed(share).map(value => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? '#000' : '#fff';
}

export const GRADIENT = `linear-gradient(to right, ${VIRIDIS.map((_, n) =>
  viridis(n / (VIRIDIS.length - 1))
).join(', ')})`;

/** How values are spread over the colours. */
export interface IScale {
  readonly lowest: number;
  readonly highest: number;
  readonly logarithmic: boolean;
  /** Where a value stands, from 0 to 1. */
  readonly share: (value: number) => number;
}

/** A scale over the values there are, logarithmic where they span more than a factor of 30; null without any. */
export function scaleOf(values: readonly number[]): IScale | null {
  const known = values.filter(Number.isFinite);
  if (known.length === 0) {
    return null;
  }
  const lowest = known.reduce((a, b) => Math.min(a, b));
  const highest = known.reduce((a, b) => Math.max(a, b));
  const logarithmic = lowest > 0 && highest / lowest > 30;
  const at = logarithmic ? Math.log : (value: number) => value;
  const span = at(highest) - at(lowest);
  const share = (value: number) => (span > 0 ? (at(value) - at(lowest)) / span : 0.5);
  return { lowest, highest, logarithmic, share };
}
