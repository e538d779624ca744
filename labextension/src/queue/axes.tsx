import type * as React from 'react';

import { digits } from '../units';

/** The room for the axes' numbers and names, in a picture's own units. */
const [LEFT, BELOW, RIGHT] = [64, 36, 8];
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
  /** By what the numbers at the axes are divided. */
  divisor?: number;
  children: React.ReactNode;
}): React.ReactElement {
  const { children, divisor = 1, frame, said, x_label, y_label } = props;
  const { tall, wide } = frame;
  const { x, y } = placesIn(frame);
  return (
    <svg
      viewBox={`0 0 ${LEFT + wide + RIGHT} ${tall + BELOW}`}
      width={LEFT + wide + RIGHT}
      fontSize={11}
      style={{ maxWidth: '100%' }}
      role="img"
      aria-label={said}
    >
      <rect x={LEFT} width={wide} height={tall} fill="none" stroke={FRAME} />
      <g stroke={GRID}>
        {ticks(frame.x).map(tick => (
          <line key={tick} x1={x(tick)} x2={x(tick)} y2={tall} />
        ))}
        {ticks(frame.y).map(tick => (
          <line key={tick} x1={LEFT} x2={LEFT + wide} y1={y(tick)} y2={y(tick)} />
        ))}
      </g>
      {children}
      <g fill={TEXT}>
        {ticks(frame.x).map(tick => (
          <text key={tick} x={x(tick)} y={tall + 14} textAnchor="middle">
            {digits(tick / divisor)}
          </text>
        ))}
        {ticks(frame.y).map(tick => (
          <text key={tick} x={LEFT - 5} y={y(tick) + 4} textAnchor="end">
            {digits(tick / divisor)}
          </text>
        ))}
        <text x={LEFT + wide / 2} y={tall + 31} textAnchor="middle">
          {x_label}
        </text>
        <text x={12} y={tall / 2} textAnchor="middle" transform={`rotate(-90 12 ${tall / 2})`}>
          {y_label}
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

/** Round numbers in an interval, up to six of them. */
export function ticks([lowest, highest]: Span): readonly number[] {
  if (lowest === highest) {
    return [lowest];
  }
  const rough = (highest - lowest) / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(digit => digit * power).find(wide => wide >= rough) ?? rough;
  const first = Math.ceil(lowest / step);
  const count = Math.floor(highest / step) - first + 1;
  return Array.from({ length: count }, (_, n) => (first + n) * step);
}
