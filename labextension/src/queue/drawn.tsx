import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { IDrawing, IExperiment, ResultDrawing } from '../drawings';
import { digits } from '../units';
import { Framed, type IFrame, lineLook, placesIn } from './axes';
import { byOutcome, countsDrawing } from './counts';
import { Bars } from './countsview';
import {
  barsOf,
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
  patchesOf,
  pathOf,
  tableOf
} from './forms';
import { planeOf, pointDrawings } from './iq';
import { Plane } from './iqview';
import { timelineOf } from './timeline';
import { Timeline } from './timelineview';

/** Pictures with axes, in their own units. */
const [WIDE, TALL] = [480, 220];
/** Up to so many points of a line each has a dot. */
const MARKED = 101;
/** How wide the place of an error bar is. */
const TRACK = 160;

/** What is drawn of a result: what its driver says, or else its counts or its points; nothing of what is neither. */
export function drawingsOf(experiment: IExperiment): readonly IDrawing[] {
  const { data, drawings, header } = experiment;
  if (drawings && drawings.length > 0) {
    return drawings;
  }
  return data.counts && Object.keys(data.counts).length > 0
    ? [countsDrawing(byOutcome(data.counts, header), '')]
    : pointDrawings(experiment);
}

/** A result, one drawing at a time. */
export const Drawn: ResultDrawing = ({ experiment, trans }) => {
  const drawings = drawingsOf(experiment);
  return drawings.some(drawing => formOf(drawing, trans) !== null) ? (
    <OneOf drawings={drawings} total={drawings.length} trans={trans} />
  ) : (
    <p className="jp-QPI-Detail">
      {experiment.truncated
        ? trans.__('Too much data to draw here. Download the dataset instead.')
        : trans.__(
            'This version of the lab can’t draw results of kind “%1”. Download them instead.',
            experiment.kind
          )}
    </p>
  );
};

/** The one that somebody chose of several drawings, the first of `total`. */
export function OneOf(props: {
  drawings: readonly IDrawing[];
  total: number;
  trans: TranslationBundle;
}): React.ReactElement | null {
  const { drawings, total, trans } = props;
  const [chosen, choose] = React.useState(0);
  const drawing = drawings[Math.min(chosen, drawings.length - 1)];
  if (!drawing) {
    return null;
  }
  return (
    <>
      {drawings.length > 1 && (
        <label className="jp-QPI-CircuitChoice">
          {trans.__('Show')}{' '}
          <select
            className="jp-mod-styled"
            value={chosen}
            onChange={event => choose(Number(event.target.value))}
          >
            {drawings.map((one, n) => (
              <option key={String(n)} value={n}>
                {one.label}
              </option>
            ))}
          </select>
          {total > drawings.length && (
            <> {trans.__('The first %1 of %2 are here.', drawings.length, total)}</>
          )}
        </label>
      )}
      {formOf(drawing, trans) ?? (
        <p className="jp-QPI-Detail">
          {trans.__('This version of the lab can’t show drawings of the form “%1”.', drawing.draw)}
        </p>
      )}
    </>
  );
}

/** The drawing, or null for one whose form is not known. */
export function formOf(drawing: IDrawing, trans: TranslationBundle): React.ReactElement | null {
  if (drawing.draw === 'counts') {
    const bars = barsOf(drawing);
    return bars.length > 0 ? <Bars bars={bars} trans={trans} /> : null;
  }
  if (drawing.draw === 'iq') {
    const plane = planeOf(drawing);
    return plane && <Plane plane={plane} trans={trans} />;
  }
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
  if (drawing.draw === 'timeline') {
    const timeline = timelineOf(drawing);
    return timeline && <Timeline timeline={timeline} trans={trans} />;
  }
  if (drawing.draw === 'circuit' && typeof drawing.text === 'string') {
    return <pre className="jp-QPI-Code">{drawing.text}</pre>;
  }
  return drawing.draw === 'note' && typeof drawing.text === 'string' ? (
    <p className="jp-QPI-Detail">{drawing.text}</p>
  ) : null;
}

/** A picture with axes and what is said below it. */
function Chart(props: {
  drawing: ILines | IHeatMap;
  frame: IFrame;
  said: string;
  caption: React.ReactNode;
  children: React.ReactNode;
}): React.ReactElement {
  const { caption, children, drawing, frame, said } = props;
  return (
    <figure className="jp-QPI-Lines" style={{ margin: 0 }}>
      <Framed frame={frame} said={said} x_label={drawing.x_label} y_label={drawing.y_label}>
        {children}
      </Framed>
      <figcaption className="jp-QPI-Detail">{caption}</figcaption>
    </figure>
  );
}

function Lines(props: {
  drawing: ILines;
  label: string;
  trans: TranslationBundle;
}): React.ReactElement {
  const { drawing, label, trans } = props;
  const [low, high] = extent(drawing.lines.flatMap(line => line.y));
  const margin = 0.05 * (high - low) || Math.abs(low) || 1;
  const y: readonly [number, number] = [low - margin, high + margin];
  const frame = { wide: WIDE, tall: TALL, x: extent(drawing.x), y };
  const place = placesIn(frame);
  const names = drawing.lines.map(line => line.label).join(', ');
  const said = trans.__('%1 over %2', names, drawing.x_label);
  return (
    <Chart
      drawing={drawing}
      frame={frame}
      said={label ? `${label}: ${said}` : said}
      caption={
        <>
          {drawing.lines.map((line, n) => (
            <span key={line.label} style={{ marginRight: 12 }}>
              <svg width={18} style={{ height: 8 }} aria-hidden="true">
                {line.dots ? (
                  <path
                    d="M7 4h0"
                    strokeWidth={6}
                    strokeLinecap="round"
                    stroke={lineLook(n)?.stroke}
                  />
                ) : (
                  <line x2={14} y1={4} y2={4} strokeWidth={2} {...lineLook(n)} />
                )}
              </svg>
              {line.label}
            </span>
          ))}
          {drawing.note}
        </>
      }
    >
      {drawing.lines.map((line, n) => (
        <g key={line.label} fill="none" strokeLinecap="round" data-line={n}>
          {!line.dots && (
            <path
              {...lineLook(n)}
              strokeWidth={1.5}
              d={pathOf(drawing.x, line.y, place.x, place.y, drawing.joined)}
            />
          )}
          {(line.dots || drawing.x.length <= MARKED) && (
            <path
              data-dots="true"
              stroke={lineLook(n)?.stroke}
              strokeWidth={5}
              d={dotsOf(drawing.x, line.y, place.x, place.y)}
            />
          )}
        </g>
      ))}
    </Chart>
  );
}

/** Coloured cells over two axes, and what the colours mean. */
function HeatMap(props: { drawing: IHeatMap; label: string }): React.ReactElement {
  const { drawing, label } = props;
  const [low, high] = extent(drawing.z.flat());
  const [across, up] = [cellsOf(drawing.x), cellsOf(drawing.y)];
  const frame = { wide: WIDE, tall: TALL, x: extent(across.flat()), y: extent(up.flat()) };
  const place = placesIn(frame);
  const said = `${drawing.z_label}: ${digits(low)} – ${digits(high)}`;
  return (
    <Chart
      drawing={drawing}
      frame={frame}
      said={label ? `${label}: ${said}` : said}
      caption={
        <>
          {digits(low)}
          <span
            aria-hidden="true"
            style={{
              display: 'inline-block',
              width: 120,
              height: 10,
              margin: '0 6px',
              background: `linear-gradient(90deg, ${[0, 0.25, 0.5, 0.75, 1].map(colourOf).join(', ')})`
            }}
          />
          {digits(high)} {drawing.z_label}. {drawing.note}
        </>
      }
    >
      <g shapeRendering="crispEdges">
        {[...patchesOf(drawing, place.x, place.y)].map(([colour, patch]) => (
          <path key={colour} fill={colour} d={patch} />
        ))}
      </g>
    </Chart>
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
