import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { Manifest } from '../wire';
import { calibrated, edgeFigures, type IParameter, qubitValue } from './calibration';
import { GRADIENT, type IScale, inkOn, scaleOf, viridis } from './colours';
import { edgeKey, type ILayout, layoutOf, towards } from './layout';

const STEP = 64;
const RADIUS = 21;
const ARROWS: Readonly<Record<string, { x: number; y: number }>> = {
  ArrowRight: { x: 1, y: 0 },
  ArrowLeft: { x: -1, y: 0 },
  ArrowDown: { x: 0, y: 1 },
  ArrowUp: { x: 0, y: -1 }
};

/** A qubit or a pair of them, on the picture. */
interface IItem {
  readonly key: string;
  readonly qubits: readonly number[];
  readonly x: number;
  readonly y: number;
  readonly name: string;
  readonly value: number | null;
  readonly unit: string;
}

interface ITopologyProps {
  readonly manifest: Manifest;
  readonly qubitBy: IParameter | null;
  readonly edgeBy: IParameter | null;
  /** The key of what is selected: `3`, or `3-4`. */
  readonly selected: string | null;
  readonly onSelect: (key: string) => void;
  readonly trans: TranslationBundle;
}

/** The QPU's qubits and couplers, coloured by a figure of each. */
export function Topology(props: ITopologyProps): React.ReactElement {
  const { manifest, qubitBy, edgeBy, trans } = props;
  const layout = React.useMemo(
    () => layoutOf(manifest.num_qubits, manifest.coupling_map),
    [manifest.num_qubits, manifest.coupling_map]
  );
  const items = React.useMemo(
    () => itemsOf(manifest, layout, qubitBy, edgeBy, trans),
    [manifest, layout, qubitBy, edgeBy, trans]
  );
  const qubits = items.filter(item => item.qubits.length === 1);
  const edges = items.filter(item => item.qubits.length === 2);
  const qubitScale = scaleOf(qubits.flatMap(({ value }) => (value === null ? [] : [value])));
  const edgeScale = scaleOf(edges.flatMap(({ value }) => (value === null ? [] : [value])));
  return (
    <figure className="jp-QPI-Topology">
      <Picture {...props} items={items} scales={[qubitScale, edgeScale]} />
      <figcaption>
        <span className="jp-QPI-Detail">{described(layout, manifest, trans)}</span>
        {qubitBy && qubitScale && (
          <Legend parameter={qubitBy} scale={qubitScale} kind={trans.__('Qubits')} trans={trans} />
        )}
        {edgeBy && edgeScale && (
          <Legend parameter={edgeBy} scale={edgeScale} kind={trans.__('Couplers')} trans={trans} />
        )}
      </figcaption>
    </figure>
  );
}

function itemsOf(
  manifest: Manifest,
  layout: ILayout,
  qubitBy: IParameter | null,
  edgeBy: IParameter | null,
  trans: TranslationBundle
): IItem[] {
  const figures = edgeBy ? edgeFigures(manifest, edgeBy.key) : new Map();
  const edges = layout.edges.map(([a, b]): IItem => {
    const [one, other] = [layout.points[a], layout.points[b]];
    return {
      key: edgeKey([a, b]),
      qubits: [a, b],
      x: ((one?.x ?? 0) + (other?.x ?? 0)) / 2,
      y: ((one?.y ?? 0) + (other?.y ?? 0)) / 2,
      name: trans.__('Coupler %1–%2', a, b),
      value: figures.get(edgeKey([a, b]))?.error ?? null,
      unit: ''
    };
  });
  const qubits = layout.points.map(
    ({ x, y }, n): IItem => ({
      key: String(n),
      qubits: [n],
      x,
      y,
      name: trans.__('Qubit %1', n),
      value: qubitBy ? qubitValue(manifest, n, qubitBy.key) : null,
      unit: qubitBy?.unit ?? ''
    })
  );
  return [...edges, ...qubits];
}

function Picture(
  props: ITopologyProps & {
    readonly items: readonly IItem[];
    readonly scales: readonly [IScale | null, IScale | null];
  }
): React.ReactElement {
  const { items, selected, trans, manifest } = props;
  const frame = React.useRef<SVGSVGElement>(null);
  const firstQubit = Math.max(
    items.findIndex(item => item.qubits.length === 1),
    0
  );
  const [at, setAt] = React.useState(firstQubit);
  const current = at < items.length ? at : firstQubit;
  const move = (event: React.KeyboardEvent): void => {
    const direction = ARROWS[event.key];
    const next = direction ? towards(items, current, direction) : null;
    const item = items[current];
    if (direction) {
      event.preventDefault();
      if (next !== null) {
        setAt(next);
        frame.current?.querySelector<SVGGElement>(`[data-index="${next}"]`)?.focus();
      }
    } else if (item && (event.key === 'Enter' || event.key === ' ')) {
      event.preventDefault();
      props.onSelect(item.key);
    }
  };
  const [xs, ys] = [items.map(({ x }) => x), items.map(({ y }) => y)];
  const [left, top] = [Math.min(0, ...xs), Math.min(0, ...ys)];
  const [width, height] = [Math.max(0, ...xs) - left + 1, Math.max(0, ...ys) - top + 1];
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be inside a picture
    <svg
      ref={frame}
      className="jp-QPI-TopologyPicture"
      role="group"
      aria-label={trans.__(
        'Topology of %1 qubits; arrow keys move, Enter selects',
        manifest.num_qubits
      )}
      viewBox={`${(left - 0.5) * STEP} ${(top - 0.5) * STEP} ${width * STEP} ${height * STEP}`}
      style={{ maxWidth: width * STEP, aspectRatio: `${width} / ${height}` }}
      onKeyDown={move}
    >
      {items.map((item, index) => (
        <Mark
          key={item.key}
          index={index}
          item={item}
          ends={item.qubits.map(qubit => items[firstQubit + qubit])}
          scale={props.scales[item.qubits.length === 1 ? 0 : 1]}
          selected={item.key === selected}
          reachable={index === current}
          onSelect={() => {
            setAt(index);
            props.onSelect(item.key);
          }}
        />
      ))}
    </svg>
  );
}

function Mark(props: {
  readonly index: number;
  readonly item: IItem;
  readonly ends: readonly (IItem | undefined)[];
  readonly scale: IScale | null;
  readonly selected: boolean;
  readonly reachable: boolean;
  readonly onSelect: () => void;
}): React.ReactElement {
  const { item, scale, selected } = props;
  const share = item.value === null || scale === null ? null : scale.share(item.value);
  const said =
    item.value === null ? item.name : `${item.name}: ${calibrated(item.value, item.unit)}`;
  const [one, other] = props.ends;
  return (
    // biome-ignore lint/a11y/useSemanticElements: SVG has no button of its own
    <g
      role="button"
      className={item.qubits.length === 1 ? 'jp-QPI-Qubit' : 'jp-QPI-Coupler'}
      data-index={props.index}
      data-key={item.key}
      aria-label={said}
      aria-pressed={selected}
      tabIndex={props.reachable ? 0 : -1}
      onClick={props.onSelect}
      onKeyDown={undefined /* the picture hears them */}
    >
      <title>{said}</title>
      {item.qubits.length === 1 ? (
        <>
          <circle
            cx={item.x * STEP}
            cy={item.y * STEP}
            r={RADIUS}
            style={share === null ? undefined : { fill: viridis(share) }}
          />
          <text
            x={item.x * STEP}
            y={item.y * STEP}
            style={share === null ? undefined : { fill: inkOn(share) }}
          >
            {item.key}
          </text>
        </>
      ) : (
        <>
          <line className="jp-QPI-CouplerHit" {...between(one, other)} />
          <line className="jp-QPI-CouplerCase" {...between(one, other)} />
          <line
            className="jp-QPI-CouplerLine"
            {...between(one, other)}
            style={share === null ? undefined : { stroke: viridis(share) }}
          />
        </>
      )}
    </g>
  );
}

function between(
  one: IItem | undefined,
  other: IItem | undefined
): { x1: number; y1: number; x2: number; y2: number } {
  const [ax, ay] = [(one?.x ?? 0) * STEP, (one?.y ?? 0) * STEP];
  const [bx, by] = [(other?.x ?? 0) * STEP, (other?.y ?? 0) * STEP];
  const share = RADIUS / Math.max(Math.hypot(bx - ax, by - ay), 1);
  const [dx, dy] = [(bx - ax) * share, (by - ay) * share];
  return { x1: ax + dx, y1: ay + dy, x2: bx - dx, y2: by - dy };
}

function Legend(props: {
  readonly parameter: IParameter;
  readonly scale: IScale;
  readonly kind: string;
  readonly trans: TranslationBundle;
}): React.ReactElement {
  const { parameter, scale, kind, trans } = props;
  return (
    <div className="jp-QPI-Legend">
      <span>
        {kind}: {parameter.label}
        {scale.logarithmic && ` (${trans.__('logarithmic')})`}
      </span>
      <span className="jp-QPI-LegendBar" style={{ background: GRADIENT }} />
      <span className="jp-QPI-LegendEnds">
        <span>{calibrated(scale.lowest, parameter.unit)}</span>
        <span>{calibrated(scale.highest, parameter.unit)}</span>
      </span>
    </div>
  );
}

function described(layout: ILayout, manifest: Manifest, trans: TranslationBundle): string {
  const words: Record<ILayout['shape'], string> = {
    'all-to-all': trans.__('All-to-all: any two qubits are coupled.'),
    line: trans.__('A line.'),
    ring: trans.__('A ring.'),
    grid: trans.__('A grid.'),
    'heavy-hex': trans.__('A heavy-hex lattice.'),
    graph: trans._n('%1 coupler.', '%1 couplers.', layout.edges.length),
    none: trans.__('No two qubits are coupled.')
  };
  return `${trans._n('%1 qubit', '%1 qubits', manifest.num_qubits)}. ${words[layout.shape]}`;
}
