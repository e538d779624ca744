import type * as React from 'react';

import { digits, scaled } from '../units';

/** The room for the axes' numbers and names, in a picture's own units. */
const [LEFT, BELOW, RIGHT, ABOVE] = [64, 36, 16, 8];
/** JupyterLab's colours, and others that can be read on light and on dark where it is not. */
const [FRAME, GRID] = ['var(--jp-border-color1, #888)', 'var(--jp-border-color2, #8886)'];
const TEXT = 'var(--jp-ui-font-color1, currentColor)';
const LINES = [
  { stroke: 'var(--jp-brand-color1, #1976d2)' },
  { stroke: 'var(--jp-warn-color1, #f57c00)' },
  { stroke: 'var(--jp-success-color1, #388e3c)', strokeDasharray: '6 3' },
  { stroke: 'var(--jp-error-color1, #d32f2f)', strokeDasharray: '2 3' }
];

type Span = readonly [number, number];

/** Where the data is in a picture: so wide and tall, from the smallest to the largest value. */
export interface IFrame {
  readonly wide: number;
  readonly tall: number;
  readonly x: Span;
  readonly y: Span;
}

/** Where values are in the picture. */
export function placesIn({ wide, tall, x: [x0, x1], y: [y0, y1] }: IFrame) {
  return {
    x: (value: number) => LEFT + (wide * (value - x0)) / (x1 - x0 || 1),
    y: (value: number) => (tall * (y1 - value)) / (y1 - y0 || 1)
  };
}

/** How the line of that number looks; the same for what is said of it. */
export function lineLook(n: number) {
  return LINES[n % LINES.length];
}

/** A picture with its axes. All that it looks like is in it: it is saved with a notebook, where no style is. */
export function Framed(props: {
  frame: IFrame;
  /** What it is, for those who do not see it. */
  said: string;
  x_label: string;
  y_label: string;
  /** Whether both axes are of one unit, which they keep. */
  alike?: boolean;
  children: React.ReactNode;
}): React.ReactElement {
  const { alike, children, frame, said } = props;
  const { tall, wide } = frame;
  const { x, y } = placesIn(frame);
  const both = [...frame.x, ...frame.y];
  const across = axisOf(props.x_label, frame.x, alike ? both : frame.x);
  const up = axisOf(props.y_label, frame.y, alike ? both : frame.y);
  return (
    <svg
      viewBox={`0 ${-ABOVE} ${LEFT + wide + RIGHT} ${ABOVE + tall + BELOW}`}
      width={LEFT + wide + RIGHT}
      fontSize={11}
      style={{ maxWidth: '100%' }}
      role="img"
      aria-label={said}
    >
      <rect x={LEFT} width={wide} height={tall} fill="none" stroke={FRAME} />
      <g stroke={GRID}>
        {across.ticks.map(({ at }) => (
          <line key={at} x1={x(at)} x2={x(at)} y2={tall} />
        ))}
        {up.ticks.map(({ at }) => (
          <line key={at} x1={LEFT} x2={LEFT + wide} y1={y(at)} y2={y(at)} />
        ))}
      </g>
      {children}
      <g fill={TEXT}>
        {across.ticks.map(({ at, text }) => (
          <text key={at} x={x(at)} y={tall + 14} textAnchor="middle">
            {text}
          </text>
        ))}
        {up.ticks.map(({ at, text }) => (
          <text key={at} x={LEFT - 5} y={y(at) + 4} textAnchor="end">
            {text}
          </text>
        ))}
        <text x={LEFT + wide / 2} y={tall + 31} textAnchor="middle">
          {across.label}
        </text>
        <text x={12} y={tall / 2} textAnchor="middle" transform={`rotate(-90 12 ${tall / 2})`}>
          {up.label}
        </text>
      </g>
    </svg>
  );
}

/** The part of what is drawn that is within the axes. */
export function Inside(props: { frame: IFrame; children: React.ReactNode }): React.ReactElement {
  const { tall, wide } = props.frame;
  const viewBox = `${LEFT} 0 ${wide} ${tall}`;
  // As a style, too: pages have rules for the height of pictures
  return (
    <svg
      x={LEFT}
      width={wide}
      height={tall}
      style={{ height: tall }}
      viewBox={viewBox}
      aria-hidden="true"
    >
      {props.children}
    </svg>
  );
}

/** An axis, with numbers that can be read: of 2e-8 s it has 20 ns, of 3e-6 of no unit 3 and a power of ten. */
export function axisOf(label: string, span: Span, whole: readonly number[] = span) {
  const largest = Math.max(...whole.map(Math.abs));
  const [, name = label, unit = ''] = /^(.+) \(([^()]+)\)$/.exec(label) ?? [];
  const scale = scaled(largest, unit);
  const power = largest > 0 ? Math.floor(Math.log10(largest / scale.divisor)) : 0;
  const far = power < -2 || power > 4;
  const divisor = far ? scale.divisor * 10 ** power : scale.divisor;
  const units = [far ? `10^${power}` : '', scale.unit].filter(Boolean).join(' ');
  const found = ticks(span);
  const [first = 0, second = first] = found;
  const step = (second - first) / divisor;
  const text = (at: number) =>
    step > 0
      ? String(Number((at / divisor).toFixed(Math.max(0, -Math.floor(Math.log10(step) + 1e-9)))))
      : digits(at / divisor);
  return {
    label: units ? `${name} (${units})` : name,
    ticks: found.map(at => ({ at, text: text(at) }))
  };
}

/** Round numbers in an interval, up to six of them. */
export function ticks([lowest, highest]: Span): readonly number[] {
  if (lowest === highest) {
    return [lowest];
  }
  const rough = (highest - lowest) / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(digit => digit * power).find(wide => wide >= rough) ?? rough;
  const first = Math.ceil(lowest / step - 1e-9);
  const count = Math.floor(highest / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, n) => (first + n) * step);
}
