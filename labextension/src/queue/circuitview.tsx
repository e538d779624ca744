import type * as React from 'react';

import type { IDrawing, IStep } from './circuit';
import type { ITools } from './tools';

const [WIDE, HIGH, BOX] = [48, 34, 26];

/** A circuit as it is drawn on paper. */
export function CircuitView(props: {
  drawing: IDrawing;
  tools: Pick<ITools, 'trans'>;
}): React.ReactElement {
  const { wires, steps, columns } = props.drawing;
  const { trans } = props.tools;
  const margin = 16 + 8 * Math.max(...wires.map(wire => wire.length));
  const [width, height] = [margin + columns * WIDE + 16, wires.length * HIGH + 8];
  const x = (column: number) => margin + (column + 0.5) * WIDE;
  return (
    <section
      className="jp-QPI-Circuit"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: so that the arrow keys scroll it
      tabIndex={0}
      aria-label={trans.__('Circuit drawing')}
    >
      <svg width={width} height={height} role="img">
        <title>{trans.__('%1 qubits, %2 operations', wires.length, steps.length)}</title>
        {wires.map((wire, row) => (
          <g key={wire}>
            <text x={margin - 8} y={y(row)} className="jp-QPI-WireName">
              {wire}
            </text>
            <line x1={margin} x2={width - 8} y1={y(row)} y2={y(row)} />
          </g>
        ))}
        {steps.map((step, index) => (
          <Step key={String(index)} step={step} x={x(step.column)} />
        ))}
      </svg>
    </section>
  );
}

function Step(props: { step: IStep; x: number }): React.ReactElement {
  const { step, x } = props;
  const [top, bottom] = [y(Math.min(...step.wires)), y(Math.max(...step.wires))];
  if (step.label === 'barrier') {
    return (
      <line x1={x} x2={x} y1={top - BOX / 2} y2={bottom + BOX / 2} className="jp-QPI-Barrier" />
    );
  }
  return (
    <g>
      <title>{step.text}</title>
      {top !== bottom && <line x1={x} x2={x} y1={top} y2={bottom} />}
      {step.wires.slice(0, step.controls).map(wire => (
        <circle key={wire} cx={x} cy={y(wire)} r={4} className="jp-QPI-Control" />
      ))}
      {step.wires.slice(step.controls).map(wire => (
        <g key={wire} data-measure={step.label === 'M'}>
          <rect x={x - 20} y={y(wire) - BOX / 2} width={40} height={BOX} rx={3} />
          <text x={x} y={y(wire)}>
            {step.label.length > 5 ? `${step.label.slice(0, 4)}…` : step.label}
          </text>
        </g>
      ))}
    </g>
  );
}

function y(wire: number): number {
  return (wire + 0.5) * HIGH + 4;
}
