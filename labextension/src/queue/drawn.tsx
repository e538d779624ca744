import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { IDrawing, ResultDrawing } from '../drawings';
import { digits } from '../units';
import {
  cellsOf,
  colourOf,
  dotsOf,
  errorBarsOf,
  extent,
  heatMapOf,
  type IErrorBars,
  type IHeatMap,
  type ILines,
  type ITable,
  linesOf,
  pathOf,
  tableOf
} from './forms';
import { ticks } from './iq';

/** The drawing of lines, in its own units, and the room for the axes' numbers. */
const [WIDE, TALL, LEFT, BELOW] = [480, 220, 64, 36];
/** Up to so many points of a line each has a dot. */
const MARKED = 101;
/** How wide the place of an error bar is. */
const TRACK = 160;

/** What the driver says is to be drawn of a result, one drawing at a time. */
export const Drawn: ResultDrawing = props => {
  const { experiment, trans } = props;
  const [chosen, choose] = React.useState(0);
  const drawings = experiment.drawings ?? [];
  const drawing = drawings[Math.min(chosen, drawings.length - 1)];
  return (
    <>
      <Choice {...{ drawings, chosen, choose, trans }} />
      {(drawing && formOf(drawing, trans)) ?? <Undrawn experiment={experiment} trans={trans} />}
    </>
  );
};

/** Which of several drawings is shown. */
export function Choice(props: {
  drawings: readonly IDrawing[];
  chosen: number;
  choose: (index: number) => void;
  trans: TranslationBundle;
  children?: React.ReactNode;
}): React.ReactElement | null {
  if (props.drawings.length < 2) {
    return null;
  }
  return (
    <label className="jp-QPI-CircuitChoice">
      {props.trans.__('Show')}{' '}
      <select
        className="jp-mod-styled"
        value={props.chosen}
        onChange={event => props.choose(Number(event.target.value))}
      >
        {props.drawings.map((one, n) => (
          <option key={String(n)} value={n}>
            {one.label}
          </option>
        ))}
      </select>
      {props.children}
    </label>
  );
}

/** What is said where there is no picture. */
export const Undrawn: ResultDrawing = ({ experiment, trans }) => (
  <p className="jp-QPI-Detail">
    {experiment.truncated
      ? trans.__('Too much data to draw here. Download the dataset instead.')
      : trans.__(
          'This version of the lab can’t draw results of kind “%1”. Download them instead.',
          experiment.kind
        )}
  </p>
);

/** The drawing, or null for one whose form is not known. */
export function formOf(drawing: IDrawing, trans: TranslationBundle): React.ReactElement | null {
  if (drawing.draw === 'lines') {
    const lines = linesOf(drawing);
    return lines && <Lines drawing={lines} label={drawing.label} trans={trans} />;
  }
  if (drawing.draw === 'heat_map') {
    const map = heatMapOf(drawing);
    return map && <HeatMap drawing={map} label={drawing.label} />;
  }
  if (drawing.draw === 'error_bars') {
    const bars = errorBarsOf(drawing);
    return bars && <ErrorBars drawing={bars} trans={trans} />;
  }
  if (drawing.draw === 'table') {
    const table = tableOf(drawing);
    return table && <Table drawing={table} />;
  }
  return drawing.draw === 'note' && typeof drawing.text === 'string' ? (
    <p className="jp-QPI-Detail">{drawing.text}</p>
  ) : null;
}

function Lines(props: {
  drawing: ILines;
  label: string;
  trans: TranslationBundle;
}): React.ReactElement {
  const { drawing, label, trans } = props;
  const [x0, x1] = extent(drawing.x);
  const [y0, y1] = extent(drawing.lines.flatMap(line => line.y));
  const margin = 0.05 * (y1 - y0) || Math.abs(y0) || 1;
  const [low, high] = [y0 - margin, y1 + margin];
  const x = (value: number) => LEFT + (WIDE * (value - x0)) / (x1 - x0 || 1);
  const y = (value: number) => (TALL * (high - value)) / (high - low);
  const names = drawing.lines.map(line => line.label).join(', ');
  const said = trans.__('%1 over %2', names, drawing.x_label);
  return (
    <figure className="jp-QPI-Lines">
      <svg
        viewBox={`0 0 ${LEFT + WIDE + 8} ${TALL + BELOW}`}
        role="img"
        aria-label={label ? `${label}: ${said}` : said}
      >
        <rect x={LEFT} width={WIDE} height={TALL} />
        {(x1 > x0 ? ticks(x0, x1) : [x0]).map(tick => (
          <g key={tick}>
            <line x1={x(tick)} x2={x(tick)} y2={TALL} />
            <text x={x(tick)} y={TALL + 14} textAnchor="middle">
              {digits(tick)}
            </text>
          </g>
        ))}
        {ticks(low, high).map(tick => (
          <g key={tick}>
            <line x1={LEFT} x2={LEFT + WIDE} y1={y(tick)} y2={y(tick)} />
            <text x={LEFT - 5} y={y(tick) + 4} textAnchor="end">
              {digits(tick)}
            </text>
          </g>
        ))}
        {drawing.lines.map((line, n) => (
          <React.Fragment key={line.label}>
            {!line.dots && (
              <path data-line={n % 4} d={pathOf(drawing.x, line.y, x, y, drawing.joined)} />
            )}
            {(line.dots || drawing.x.length <= MARKED) && (
              <path data-line={n % 4} data-dots="true" d={dotsOf(drawing.x, line.y, x, y)} />
            )}
          </React.Fragment>
        ))}
        <text x={LEFT + WIDE / 2} y={TALL + 31} textAnchor="middle">
          {drawing.x_label}
        </text>
        <text x={12} y={TALL / 2} textAnchor="middle" transform={`rotate(-90 12 ${TALL / 2})`}>
          {drawing.y_label}
        </text>
      </svg>
      <figcaption className="jp-QPI-Detail">
        {drawing.lines.map((line, n) => (
          <span key={line.label} className="jp-QPI-LineKey" data-line={n % 4}>
            {line.label}
          </span>
        ))}
        {drawing.note}
      </figcaption>
    </figure>
  );
}

/** Coloured cells over two axes, and what the colours mean. */
function HeatMap(props: { drawing: IHeatMap; label: string }): React.ReactElement {
  const { drawing, label } = props;
  const [low, high] = extent(drawing.z.flat());
  const [across, up] = [cellsOf(drawing.x), cellsOf(drawing.y)];
  const [[x0, x1], [y0, y1]] = [extent(across.flat()), extent(up.flat())];
  const x = (value: number) => LEFT + (WIDE * (value - x0)) / (x1 - x0);
  const y = (value: number) => (TALL * (y1 - value)) / (y1 - y0);
  const said = `${drawing.z_label}: ${digits(low)} – ${digits(high)}`;
  return (
    <figure className="jp-QPI-Lines jp-QPI-HeatMap">
      <svg
        viewBox={`0 0 ${LEFT + WIDE + 8} ${TALL + BELOW}`}
        role="img"
        aria-label={label ? `${label}: ${said}` : said}
      >
        {drawing.z.map((row, j) =>
          row.map((value, i) => {
            const [column, line] = [across[i], up[j]];
            return value === null || !column || !line ? null : (
              <rect
                key={`${i} ${j}`}
                x={x(column[0])}
                y={y(line[1])}
                width={x(column[1]) - x(column[0])}
                height={y(line[0]) - y(line[1])}
                shapeRendering="crispEdges"
                style={{ fill: colourOf((value - low) / (high - low || 1)), stroke: 'none' }}
              />
            );
          })
        )}
        {ticks(x0, x1).map(tick => (
          <text key={tick} x={x(tick)} y={TALL + 14} textAnchor="middle">
            {digits(tick)}
          </text>
        ))}
        {ticks(y0, y1).map(tick => (
          <text key={tick} x={LEFT - 5} y={y(tick) + 4} textAnchor="end">
            {digits(tick)}
          </text>
        ))}
        <text x={LEFT + WIDE / 2} y={TALL + 31} textAnchor="middle">
          {drawing.x_label}
        </text>
        <text x={12} y={TALL / 2} textAnchor="middle" transform={`rotate(-90 12 ${TALL / 2})`}>
          {drawing.y_label}
        </text>
      </svg>
      <figcaption className="jp-QPI-Detail">
        {digits(low)}
        <span
          className="jp-QPI-Scale"
          aria-hidden="true"
          style={{
            background: `linear-gradient(90deg, ${[0, 0.25, 0.5, 0.75, 1].map(colourOf).join(', ')})`
          }}
        />
        {digits(high)} {drawing.z_label}. {drawing.note}
      </figcaption>
    </figure>
  );
}

function ErrorBars(props: { drawing: IErrorBars; trans: TranslationBundle }): React.ReactElement {
  const { drawing, trans } = props;
  const [low, high] = extent(
    drawing.points.flatMap(({ value, error }) =>
      value === null ? [] : [value - (error ?? 0), value + (error ?? 0), 0]
    )
  );
  const at = (value: number) => 6 + ((TRACK - 12) * (value - low)) / (high - low || 1);
  return (
    <>
      <table className="jp-QPI-ResultTable jp-QPI-ErrorBars">
        <thead>
          <tr>
            <th scope="col">{drawing.x_label}</th>
            <th scope="col">{drawing.y_label}</th>
            <th scope="col">{trans.__('Standard error')}</th>
            <td />
          </tr>
        </thead>
        <tbody>
          {drawing.points.map(({ label, value, error }, n) => (
            <tr key={String(n)}>
              <th scope="row">{label}</th>
              <td>{value === null ? '—' : digits(value)}</td>
              <td>{error === null ? '—' : digits(error)}</td>
              <td>
                {value !== null && (
                  <svg viewBox={`0 0 ${TRACK} 16`} width={TRACK} aria-hidden="true">
                    <line className="jp-QPI-Zero" x1={at(0)} x2={at(0)} y2={16} />
                    <line
                      x1={at(value - (error ?? 0))}
                      x2={at(value + (error ?? 0))}
                      y1={8}
                      y2={8}
                    />
                    <circle cx={at(value)} cy={8} r={3.5} />
                  </svg>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {drawing.note && <p className="jp-QPI-Detail">{drawing.note}</p>}
    </>
  );
}

function Table(props: { drawing: ITable }): React.ReactElement {
  const { columns, note, rows } = props.drawing;
  return (
    <>
      <table className="jp-QPI-ResultTable">
        <thead>
          <tr>
            {columns.map((name, n) => (
              <th key={String(n)} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, n) => (
            <tr key={String(n)}>
              {row.map((cell, column) =>
                column === 0 ? (
                  <th key={String(column)} scope="row">
                    {cell}
                  </th>
                ) : (
                  <td key={String(column)}>{cell}</td>
                )
              )}
            </tr>
          ))}
        </tbody>
      </table>
      {note && <p className="jp-QPI-Detail">{note}</p>}
    </>
  );
}
