import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { IExperiment } from '../drawings';
import { digits } from '../units';
import { shotsOf } from '../words';
import { Undrawn } from './drawn';
import { type IApart, type IIqPlane, iqPlane, layers, ticks } from './iq';

/** The side of the drawing, in its own units, and the room for the axes' numbers. */
const [SIDE, LEFT, BELOW] = [320, 56, 36];

/** The points of a result, one classical bit at a time. */
export function Points(props: {
  experiment: IExperiment;
  trans: TranslationBundle;
}): React.ReactElement {
  const { experiment, trans } = props;
  const [chosen, choose] = React.useState(0);
  const bits = experiment.header.memory_slots;
  const bit = Math.min(chosen, bits - 1);
  const plane = iqPlane(experiment, bit);
  return (
    <>
      {bits > 1 && (
        <label className="jp-QPI-CircuitChoice">
          {trans.__('Classical bit')}{' '}
          <select
            className="jp-mod-styled"
            value={bit}
            onChange={event => choose(Number(event.target.value))}
          >
            {Array.from({ length: bits }, (_, n) => (
              <option key={String(n)} value={n}>
                {n}
              </option>
            ))}
          </select>
        </label>
      )}
      {plane ? (
        <Plane plane={plane} trans={trans} />
      ) : (
        <Undrawn experiment={experiment} trans={trans} />
      )}
    </>
  );
}

/** The points of one classical bit. */
export function Plane(props: { plane: IIqPlane; trans: TranslationBundle }): React.ReactElement {
  const { plane, trans } = props;
  const [i, q] = plane.centre;
  const x = (value: number) => LEFT + (SIDE * (value - i + plane.reach)) / (2 * plane.reach);
  const y = (value: number) => (SIDE * (q + plane.reach - value)) / (2 * plane.reach);
  const dots = (layer: readonly (readonly [number, number])[]) =>
    layer.map(([a, b]) => `M${x(a).toFixed(1)} ${y(b).toFixed(1)}h0`).join('');
  const said = plane.averaged ? trans.__('The mean of all shots') : shotsOf(plane.total, trans);
  const shown = plane.points.length;
  const power = Math.floor(Math.log10(Math.max(Math.abs(i), Math.abs(q)) + plane.reach));
  const factor = power < -2 || power > 3 ? 10 ** power : 1;
  const unit = factor === 1 ? trans.__('arb. unit') : trans.__('10^%1 arb. unit', power);
  return (
    <figure className="jp-QPI-Iq">
      <svg
        viewBox={`0 0 ${LEFT + SIDE + 1} ${SIDE + BELOW}`}
        role="img"
        aria-label={trans.__('IQ plane: %1', said)}
      >
        <rect x={LEFT} width={SIDE} height={SIDE} />
        {ticks(i - plane.reach, i + plane.reach).map(tick => (
          <g key={tick}>
            <line x1={x(tick)} x2={x(tick)} y2={SIDE} />
            <text x={x(tick)} y={SIDE + 14} textAnchor="middle">
              {digits(tick / factor)}
            </text>
          </g>
        ))}
        {ticks(q - plane.reach, q + plane.reach).map(tick => (
          <g key={tick}>
            <line x1={LEFT} x2={LEFT + SIDE} y1={y(tick)} y2={y(tick)} />
            <text x={LEFT - 5} y={y(tick) + 4} textAnchor="end">
              {digits(tick / factor)}
            </text>
          </g>
        ))}
        {plane.apart
          ? [0, 1].map(bit => (
              <path
                key={bit}
                d={dots(plane.points.filter((_, n) => plane.apart?.bits[n] === bit))}
                data-bit={bit}
                data-few={shown < 50}
              />
            ))
          : layers(plane.points).map((layer, n) => (
              <path key={String(n)} d={dots(layer)} data-few={shown < 50} />
            ))}
        {plane.apart && <Threshold apart={plane.apart} x={x} y={y} />}
        <text x={LEFT + SIDE / 2} y={SIDE + 31} textAnchor="middle">
          {`I (${unit})`}
        </text>
        <text x={12} y={SIDE / 2} textAnchor="middle" transform={`rotate(-90 12 ${SIDE / 2})`}>
          {`Q (${unit})`}
        </text>
      </svg>
      <figcaption className="jp-QPI-Detail">
        {plane.apart &&
          [0, 1].map(bit => (
            <span key={bit} className="jp-QPI-LineKey" data-line={bit}>
              {bit}
            </span>
          ))}
        {shown < plane.total ? trans.__('%1; %2 of them drawn.', said, shown) : `${said}.`}
        {typeof plane.apart?.fidelity === 'number' && (
          <> {trans.__('Assignment fidelity %1 %.', (100 * plane.apart.fidelity).toFixed(1))}</>
        )}
      </figcaption>
    </figure>
  );
}

/** The middles of the two clouds, and the line that tells them apart; its ends may lie outside of the plane. */
function Threshold(props: {
  apart: IApart;
  x: (value: number) => number;
  y: (value: number) => number;
}): React.ReactElement {
  const { apart, x, y } = props;
  const [from, to] = apart.line;
  return (
    <svg
      aria-hidden="true"
      x={LEFT}
      width={SIDE}
      height={SIDE}
      viewBox={`${LEFT} 0 ${SIDE} ${SIDE}`}
    >
      {apart.centres.map(([a, b], n) => (
        <circle key={String(n)} cx={x(a)} cy={y(b)} r={5} />
      ))}
      {from && to && (
        <line
          className="jp-QPI-Threshold"
          x1={x(from[0])}
          y1={y(from[1])}
          x2={x(to[0])}
          y2={y(to[1])}
        />
      )}
    </svg>
  );
}
