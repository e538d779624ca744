import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { layoutOf, towards } from '../qpu/layout';
import type { Advertisement } from '../wire';
import { type IPlace, ringed, thickness } from './rings';
import { availability, fidelity, latency, size } from './words';

const ARROWS: Readonly<Record<string, IPlace>> = {
  ArrowRight: { x: 1, y: 0 },
  ArrowLeft: { x: -1, y: 0 },
  ArrowDown: { x: 0, y: 1 },
  ArrowUp: { x: 0, y: -1 }
};
const CHIP = 34;
/** Of the picture around the outermost places. */
const ROOM = { x: 80, y: 84 };
const LONGEST = 16;

interface IPictureProps {
  readonly qpus: readonly Advertisement[];
  readonly trans: TranslationBundle;
  readonly open: (qpu: string) => void;
}

/** The lab in the middle, around it its QPUs, each with its couplers, its state and the way to it. */
export function Picture(props: IPictureProps): React.ReactElement {
  const { qpus, trans } = props;
  const frame = React.useRef<SVGSVGElement>(null);
  const [at, setAt] = React.useState(0);
  const places = React.useMemo(() => ringed(qpus.length), [qpus.length]);
  const current = Math.min(at, qpus.length - 1);
  const move = (event: React.KeyboardEvent): void => {
    const direction = ARROWS[event.key];
    const here = qpus[current];
    if (direction) {
      event.preventDefault();
      const next = towards(places, current, direction);
      if (next !== null) {
        setAt(next);
        frame.current?.querySelector<SVGGElement>(`[data-index="${next}"]`)?.focus();
      }
    } else if (here && (event.key === 'Enter' || event.key === ' ')) {
      event.preventDefault();
      props.open(here.qpu);
    }
  };
  const wide = Math.max(...places.map(({ x }) => Math.abs(x)), 60) + ROOM.x;
  const high = Math.max(...places.map(({ y }) => Math.abs(y)), 60) + ROOM.y;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be inside a picture
    <svg
      ref={frame}
      className="jp-QPI-Network"
      role="group"
      aria-label={trans._n(
        'The lab and %1 QPU; Enter opens it',
        'The lab and %1 QPUs; arrow keys move, Enter opens one',
        qpus.length
      )}
      viewBox={`${-wide} ${-high} ${2 * wide} ${2 * high}`}
      style={{ maxWidth: 2 * wide }}
      onKeyDown={move}
    >
      {qpus.map((qpu, n) => (
        <Way key={qpu.qpu} qpu={qpu} place={places[n]} />
      ))}
      <g className="jp-QPI-NetworkLab">
        <circle r={30} />
        <text>{trans.__('Lab')}</text>
      </g>
      {qpus.map((qpu, n) => (
        <Node
          key={qpu.qpu}
          qpu={qpu}
          place={places[n]}
          index={n}
          reachable={n === current}
          trans={trans}
          onOpen={() => {
            setAt(n);
            props.open(qpu.qpu);
          }}
        />
      ))}
    </svg>
  );
}

function Way(props: { qpu: Advertisement; place: IPlace | undefined }): React.ReactElement {
  const { qpu, place = { x: 0, y: 0 } } = props;
  const measured = qpu.latency_s !== null && !qpu.stale;
  return (
    <g className="jp-QPI-NetworkWay" data-stale={qpu.stale}>
      <line
        x2={place.x}
        y2={place.y}
        style={{ strokeWidth: thickness(measured ? qpu.latency_s : null) }}
      />
      {measured && (
        <text x={place.x * 0.42} y={place.y * 0.42}>
          {latency(qpu.latency_s)}
        </text>
      )}
    </g>
  );
}

function Node(props: {
  readonly qpu: Advertisement;
  readonly place: IPlace | undefined;
  readonly index: number;
  readonly reachable: boolean;
  readonly trans: TranslationBundle;
  readonly onOpen: () => void;
}): React.ReactElement {
  const { qpu, trans, place = { x: 0, y: 0 } } = props;
  const [word, tone] = availability(qpu, trans);
  const wide = size(qpu, trans);
  const good = trans.__('fidelity %1', fidelity(qpu.fidelity));
  const busy = trans.__('%1 running, %2 waiting', qpu.running, qpu.queued);
  const name = qpu.qpu.length > LONGEST ? `${qpu.qpu.slice(0, LONGEST - 1)}…` : qpu.qpu;
  return (
    // biome-ignore lint/a11y/useSemanticElements: SVG has no button of its own
    <g
      role="button"
      className="jp-QPI-NetworkQpu"
      data-index={props.index}
      data-qpu={qpu.qpu}
      data-tone={tone}
      transform={`translate(${place.x} ${place.y})`}
      tabIndex={props.reachable ? 0 : -1}
      aria-label={`${qpu.qpu}: ${[word, wide, good, busy].filter(Boolean).join(', ')}`}
      onClick={props.onOpen}
      onKeyDown={undefined /* the picture hears them */}
    >
      <title>{[qpu.qpu, word, [wide, good].filter(Boolean).join(', '), busy].join('\n')}</title>
      <circle r={CHIP + 8} />
      <Chip size={qpu.num_qubits} coupling={qpu.coupling_map} />
      <text y={CHIP + 24} className="jp-QPI-NetworkName">
        {name}
      </text>
      <text y={CHIP + 40} className="jp-QPI-NetworkState">
        {qpu.fidelity === null ? word : `${word} · ${fidelity(qpu.fidelity)}`}
      </text>
    </g>
  );
}

/** A QPU's qubits and couplers, small. */
function Chip(props: {
  readonly size: number;
  readonly coupling: Advertisement['coupling_map'];
}): React.ReactElement {
  const { size, coupling } = props;
  const shown = Math.min(size, 128);
  const layout = React.useMemo(() => layoutOf(shown, coupling), [shown, coupling]);
  const [xs, ys] = [layout.points.map(({ x }) => x), layout.points.map(({ y }) => y)];
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
  const step = (2 * CHIP * 0.75) / Math.max(Math.hypot(right - left, bottom - top), 1);
  const on = (n: number): IPlace => ({
    x: ((layout.points[n]?.x ?? 0) - (left + right) / 2) * step,
    y: ((layout.points[n]?.y ?? 0) - (top + bottom) / 2) * step
  });
  const radius = Math.max(1.2, Math.min(4, step * 0.3));
  return (
    <g className="jp-QPI-NetworkChip">
      {layout.edges.map(([a, b]) => {
        const [one, other] = [on(a), on(b)];
        return <line key={`${a}-${b}`} x1={one.x} y1={one.y} x2={other.x} y2={other.y} />;
      })}
      {layout.points.map((_, n) => {
        const { x, y } = on(n);
        return <circle key={n} cx={x} cy={y} r={radius} />;
      })}
    </g>
  );
}
