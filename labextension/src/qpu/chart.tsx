import { clockZone, formatOf } from '../words';
import 'uplot/dist/uPlot.min.css';

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import uPlot from 'uplot';
import { digits, quantity, scaled } from '../units';
import type { Series } from '../wire';
import { calibrated } from './calibration';
import { type Span, unitsOf, withGaps } from './telemetry';

const HEIGHT = 240;
const COLOURS = 6;
const DASHES: readonly (readonly number[])[] = [[], [8, 4], [2, 3], [10, 4, 2, 4], [5, 2], [12, 6]];

interface IChartProps {
  readonly series: readonly Series[];
  /** From and to. */
  readonly span: Span;
  readonly label: string;
  /** What was dragged over, or null for a double click. */
  readonly onZoom: ((span: Span | null) => void) | null;
  /** Values stay until the next one, as a calibration does. */
  readonly stepped?: boolean;
  /** The last point of each series is no value of its own: the one before counts until then. */
  readonly held?: boolean;
  readonly trans: TranslationBundle;
}

/** Series over time: one axis for each of two units. */
export function Chart(props: IChartProps): React.ReactElement {
  const { series, trans } = props;
  const [at, setAt] = React.useState<number | null>(null);
  const place = usePlot(props, setAt);
  const units = unitsOf(series);
  return (
    <div className="jp-QPI-Chart">
      <div ref={place} className="jp-QPI-ChartPlot" role="img" aria-label={summary(props)} />
      <ul className="jp-QPI-ChartKeys">
        {series.map((one, n) => (
          <li key={one.name}>
            <Stroke n={n} />
            {one.name} <strong>{shown(one, at)}</strong>
            {units.length > 1 && (
              <span className="jp-QPI-Detail">
                {units.indexOf(one.unit) === 0 ? trans.__('left axis') : trans.__('right axis')}
              </span>
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Draws into the element that the answer refers to, as long as there is anything to draw. */
function usePlot(
  props: IChartProps,
  setAt: (at: number | null) => void
): React.RefObject<HTMLDivElement> {
  const { series, span } = props;
  const place = React.useRef<HTMLDivElement>(null);
  const plot = React.useRef<uPlot | null>(null);
  const newest = React.useRef(props);
  newest.current = props;
  // Stands for all that the options are made of.
  const shape = series.map(({ name, unit }) => `${name} ${unit}`).join('\n');

  React.useEffect(() => {
    const node = place.current;
    if (node === null || shape === '') {
      return;
    }
    const chart = new uPlot(optionsOf(node, newest, setAt), dataOf(newest.current.series), node);
    plot.current = chart;
    const sizes = new ResizeObserver(() => {
      if (node.clientWidth > 0) {
        chart.setSize({ width: node.clientWidth, height: HEIGHT });
      }
    });
    sizes.observe(node);
    const theme = new MutationObserver(() => chart.redraw());
    theme.observe(document.body, { attributeFilter: ['data-jp-theme-name'] });
    return () => {
      sizes.disconnect();
      theme.disconnect();
      chart.destroy();
      plot.current = null;
    };
  }, [shape, setAt]);

  React.useEffect(() => {
    plot.current?.setData(dataOf(series));
  }, [series, span]); // a new span needs new scales, too
  return place;
}

/** How a series is drawn, for its name below the chart. */
function Stroke({ n }: { readonly n: number }): React.ReactElement {
  return (
    <svg width="26" height="10" aria-hidden="true">
      <line
        x1="1"
        y1="5"
        x2="25"
        y2="5"
        strokeWidth="2"
        style={{ stroke: `var(--jp-qpi-series-${n % COLOURS})` }}
        strokeDasharray={(DASHES[n % COLOURS] ?? []).join(' ')}
      />
    </svg>
  );
}

function summary({ label, series, trans }: IChartProps): string {
  const newest = series.map(one => `${one.name} ${shown(one, null)}`);
  return newest.length ? trans.__('%1. Newest: %2', label, newest.join(', ')) : label;
}

/** The value under the cursor, or else the newest. */
function shown(series: Series, at: number | null): string {
  const before =
    at === null
      ? series.points
      : series.points.filter(point => Date.parse(point.at) <= 1000 * at + 500);
  const point = before[before.length - 1];
  return point === undefined ? '—' : valued(series, point.mean);
}

export function valued({ name, unit }: Series, value: number): string {
  return /(^|\/)(readout_)?error$/.test(name) ? calibrated(value, unit) : quantity(value, unit);
}

function dataOf(series: readonly Series[]): uPlot.AlignedData {
  const tables = series.map(one => withGaps(one) as uPlot.AlignedData);
  // Nulls stay gaps; where only another series has a point, the line goes on.
  return tables.length
    ? uPlot.join(
        tables,
        tables.map(() => [1, 1])
      )
    : [[]];
}

function colour(name: string): () => string {
  return () => getComputedStyle(document.body).getPropertyValue(name).trim();
}

/** The colour of a series, from the panel's own variables. */
function ink(node: HTMLElement, n: number): () => string {
  return () =>
    getComputedStyle(node)
      .getPropertyValue(`--jp-qpi-series-${n % COLOURS}`)
      .trim();
}

function optionsOf(
  node: HTMLElement,
  newest: React.RefObject<IChartProps>,
  setAt: (at: number | null) => void
): uPlot.Options {
  const { held, series, stepped, onZoom } = newest.current as IChartProps;
  const units = unitsOf(series).slice(0, 2);
  const drawn = stepped && uPlot.paths.stepped ? { paths: uPlot.paths.stepped({ align: 1 }) } : {};
  return {
    tzDate: seconds => uPlot.tzDate(new Date(1000 * seconds), clockZone()),
    width: Math.max(node.clientWidth, 100),
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: onZoom !== null, y: false, setScale: false }, points: { size: 6 } },
    scales: {
      x: { time: true, range: () => inSeconds(newest.current?.span ?? [0, 1]) },
      ...Object.fromEntries(units.map(unit => [`y${unit}`, { range: risen }]))
    },
    axes: [timeAxis(newest), ...units.map((unit, n) => axisOf(unit, n))],
    series: [
      {},
      ...series.map(({ name, unit }, n) => ({
        label: name,
        scale: `y${unit}`,
        stroke: ink(node, n),
        width: 1.5,
        dash: [...(DASHES[n % COLOURS] ?? [])],
        points: stepped ? { show: true, size: 6, ...(held ? { filter: allButLast } : {}) } : {},
        ...drawn
      }))
    ],
    hooks: {
      setCursor: [
        ({ cursor, data }) => setAt(cursor.idx == null ? null : (data[0][cursor.idx] ?? null))
      ],
      setSelect: [chart => zoomed(chart, newest.current?.onZoom ?? null)],
      ready: [
        chart => chart.over.addEventListener('dblclick', () => newest.current?.onZoom?.(null))
      ]
    }
  };
}

/** The places of a series' values that have a dot. */
function allButLast({ data }: uPlot, n: number): number[] {
  const known = Array.from(data[n] ?? []).flatMap((value, place) => (value == null ? [] : [place]));
  return known.slice(0, -1);
}

function zoomed(chart: uPlot, onZoom: ((span: Span) => void) | null): void {
  const { left, width } = chart.select;
  if (width > 2 && onZoom) {
    onZoom([1000 * chart.posToVal(left, 'x'), 1000 * chart.posToVal(left + width, 'x')]);
    chart.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  }
}

function inSeconds([start, end]: Span): [number, number] {
  return [start / 1000, end / 1000];
}

/** From zero where that costs little, with some air above. */
function risen(_: uPlot, low: number | null, high: number | null): [number, number] {
  if (low === null || high === null) {
    return [0, 1];
  }
  const bottom = low >= 0 && low < 0.7 * high ? 0 : low;
  const air = 0.08 * (high - bottom) || 0.1 * Math.abs(high) || 1;
  return [bottom === 0 && low >= 0 ? 0 : bottom - air, high + air];
}

function themed(): uPlot.Axis {
  return {
    stroke: colour('--jp-ui-font-color1'),
    grid: { stroke: colour('--jp-border-color2'), width: 1 },
    ticks: { stroke: colour('--jp-border-color2'), width: 1 },
    font: '11px sans-serif'
  };
}

/** Times as the reader's own language writes them. */
function timeAxis(newest: React.RefObject<IChartProps>): uPlot.Axis {
  return {
    ...themed(),
    space: 90,
    values: (_, splits) => {
      const [start, end] = newest.current?.span ?? [0, 0];
      const minutes = (end - start) / 60_000;
      const clock = { hour: 'numeric', minute: '2-digit' } as const;
      const words = formatOf({
        ...(minutes > 720 ? { month: 'short', day: 'numeric' } : {}),
        ...(minutes < 10 * 1440 ? clock : {}),
        ...(minutes < 10 ? { second: '2-digit' } : {})
      });
      return splits.map(split => words.format(1000 * split));
    }
  };
}

function axisOf(unit: string, n: number): uPlot.Axis {
  const axis = themed();
  return {
    ...axis,
    scale: `y${unit}`,
    side: n === 0 ? 3 : 1,
    size: 72,
    grid: n === 0 ? (axis.grid ?? {}) : { show: false },
    values: (_, splits) => {
      const { divisor, unit: named } = scaled(Math.max(...splits.map(Math.abs)), unit);
      return splits.map(split => `${digits(split / divisor)}${named ? ` ${named}` : ''}`);
    }
  };
}
