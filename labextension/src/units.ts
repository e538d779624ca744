/** Numbers as people read them. */

const PREFIXES: readonly (readonly [number, string])[] = [
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
  [1, ''],
  [1e-3, 'm'],
  [1e-6, 'µ'],
  [1e-9, 'n'],
  [1e-12, 'p']
];
const PREFIXED = new Set(['s', 'Hz', 'K', 'V', 'A', 'W', 'Pa', 'B', 'bar', 'm', 'T']);

/** By what to divide a value of `unit` about as large as `largest`, and the unit that this gives. */
export function scaled(largest: number, unit: string): { divisor: number; unit: string } {
  const size = Math.abs(largest);
  if (!PREFIXED.has(unit) || size === 0 || !Number.isFinite(size)) {
    return { divisor: 1, unit };
  }
  const [divisor, prefix] = PREFIXES.find(([factor]) => size >= factor) ?? [1e-12, 'p'];
  return unit === 's' && divisor > 1 ? { divisor: 1, unit } : { divisor, unit: prefix + unit };
}

/** The value in few digits, without its unit. */
export function digits(value: number, count = 4): string {
  const size = Math.abs(value);
  if (size === 0 || (size >= 0.001 && size < 1e5)) {
    return String(Number(value.toPrecision(count)));
  }
  return value.toExponential(2).replace('e-', ' × 10^−').replace('e+', ' × 10^');
}

/** The value with its unit, `—` where there is none. */
export function quantity(value: number | null, unit: string, count = 4): string {
  if (value === null) {
    return '—';
  }
  const scale = scaled(value, unit);
  const number = digits(value / scale.divisor, count);
  return scale.unit ? `${number} ${scale.unit}` : number;
}

/** A share of one, as an error rate is. */
export function percent(share: number, count = 4): string {
  return `${digits(100 * share, count)} %`;
}
