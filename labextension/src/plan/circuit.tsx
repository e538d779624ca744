import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { PlanModel } from '../wire';
import { circuitOf, type IPlacedOperation } from './drawn';

const [WIDE, HIGH, BOX, LEFT] = [48, 34, 26, 44];

interface IProps {
  readonly plan: PlanModel;
  readonly qpuOf: (fragment: number) => string;
  readonly color: (qpu: string) => number;
  readonly trans: TranslationBundle;
}

/** The circuit, each operation in the colour of the QPU that its fragment runs on. */
export function Circuit(props: IProps): React.ReactElement {
  const { plan, trans } = props;
  const { operations, columns, hidden } = React.useMemo(() => circuitOf(plan), [plan]);
  const [width, height] = [LEFT + columns * WIDE + 16, plan.num_qubits * HIGH + 8];
  return (
    <>
      <section
        className="jp-QPI-Circuit jp-QPI-PlanCircuit"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: so that the arrow keys scroll it
        tabIndex={0}
        aria-label={trans.__('Circuit by QPU')}
      >
        <svg width={width} height={height} role="img">
          <title>{trans.__('%1 qubits, %2 operations', plan.num_qubits, operations.length)}</title>
          {Array.from({ length: plan.num_qubits }, (_, qubit) => (
            <g key={String(qubit)}>
              <text x={LEFT - 8} y={y(qubit)} className="jp-QPI-WireName">
                {`q${qubit}`}
              </text>
              <line x1={LEFT} x2={width - 8} y1={y(qubit)} y2={y(qubit)} />
            </g>
          ))}
          {operations.map((operation, n) => (
            <Drawn key={String(n)} operation={operation} {...props} />
          ))}
          {operations.map(({ column, cut_wires }) =>
            cut_wires.map(qubit => (
              <CutWire key={`${qubit}-${column}`} x={LEFT + column * WIDE} y={y(qubit)}>
                {trans.__('wire of %1 cut', `q${qubit}`)}
              </CutWire>
            ))
          )}
        </svg>
      </section>
      {hidden > 0 && (
        <p className="jp-QPI-Detail">
          {trans.__('Only the first %1 operations are drawn.', operations.length)}
        </p>
      )}
    </>
  );
}

function Drawn(props: IProps & { operation: IPlacedOperation }): React.ReactElement {
  const { color, operation, qpuOf, trans } = props;
  const { cut, fragment, name, qubits } = operation;
  const x = LEFT + (operation.column + 0.5) * WIDE;
  const [top, bottom] = [y(Math.min(...qubits)), y(Math.max(...qubits))];
  const qpu = fragment === null ? '' : qpuOf(fragment);
  const place = cut
    ? trans.__('cut')
    : fragment === null
      ? ''
      : trans.__('fragment %1 on %2', fragment, qpu);
  const said = [name, trans.__('on %1', qubits.map(qubit => `q${qubit}`).join(', ')), place];
  return (
    <g data-qpu={fragment === null ? undefined : color(qpu)} data-cut={cut || undefined}>
      <title>{said.filter(Boolean).join(', ')}</title>
      {top !== bottom && <line x1={x} x2={x} y1={top} y2={bottom} />}
      {cut && top !== bottom && (
        <text x={x} y={(top + bottom) / 2} className="jp-QPI-PlanScissors">
          ✂
        </text>
      )}
      {qubits.map(qubit => (
        <g key={qubit}>
          <rect x={x - 20} y={y(qubit) - BOX / 2} width={40} height={BOX} rx={3} />
          <text x={x} y={y(qubit)}>
            {name.length > 5 ? `${name.slice(0, 4)}…` : name}
          </text>
        </g>
      ))}
    </g>
  );
}

/** Where a wire is cut: before an operation of the fragment in which it goes on, and above what is near. */
function CutWire(props: { x: number; y: number; children: string }): React.ReactElement {
  const { children, x, y } = props;
  return (
    <g data-cut="wire">
      <title>{children}</title>
      <circle cx={x} cy={y} r={9} />
      <text x={x} y={y} className="jp-QPI-PlanScissors">
        ✂
      </text>
    </g>
  );
}

function y(qubit: number): number {
  return (qubit + 0.5) * HIGH + 4;
}
