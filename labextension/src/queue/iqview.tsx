import type { TranslationBundle } from '@jupyterlab/translation';
import type * as React from 'react';

import { Framed, Inside, lineLook, placesIn } from './axes';
import { type IIqPlane, layers, saidOf, toldOf } from './iq';

const SIDE = 320;
const GREY = 'var(--jp-ui-font-color2, #888)';

/** Points in the IQ plane by their bits, the centres of 0 and 1, and the threshold between them. */
export function Plane(props: { plane: IIqPlane; trans: TranslationBundle }): React.ReactElement {
  const { plane, trans } = props;
  const { centre, points, reach, threshold } = plane;
  const span = (middle: number) => [middle - reach, middle + reach] as const;
  const frame = { wide: SIDE, tall: SIDE, x: span(centre[0]), y: span(centre[1]) };
  const { x, y } = placesIn(frame);
  const few = points.length < 50;
  const dots = (layer: readonly number[]) =>
    layer.map(n => {
      const [i, q] = points[n] ?? centre;
      return `M${x(i).toFixed(1)} ${y(q).toFixed(1)}h0`;
    });
  const numbers = [...points.keys()];
  const ones = numbers.filter(n => plane.bits[n] === 1);
  const clouds = threshold ? [numbers.filter(n => plane.bits[n] !== 1), ones] : [numbers];
  const [from, to] = threshold?.line ?? [];
  return (
    <figure className="jp-QPI-Iq" style={{ margin: 0 }}>
      <Framed
        frame={frame}
        said={trans.__('IQ plane: %1', saidOf(plane, trans))}
        x_label={`I (${plane.units})`}
        y_label={`Q (${plane.units})`}
        alike={true}
      >
        {clouds.map((cloud, bit) => (
          <g
            key={String(bit)}
            stroke={lineLook(bit)?.stroke}
            strokeLinecap="round"
            strokeOpacity={few ? 1 : 0.6}
            strokeWidth={few ? 8 : 3}
          >
            {layers(cloud).map((layer, n) => (
              <path key={String(n)} d={dots(layer).join('')} />
            ))}
          </g>
        ))}
        {from && to && (
          <Inside frame={frame}>
            <line
              data-threshold="true"
              x1={x(from[0])}
              y1={y(from[1])}
              x2={x(to[0])}
              y2={y(to[1])}
              stroke={GREY}
              strokeDasharray="5 4"
            />
          </Inside>
        )}
        {threshold?.centres.map(([i, q], bit) => (
          <circle
            key={String(bit)}
            cx={x(i)}
            cy={y(q)}
            r={5}
            fill="none"
            stroke={GREY}
            strokeWidth={2}
          />
        ))}
      </Framed>
      <figcaption className="jp-QPI-Detail">{toldOf(plane, trans)}</figcaption>
    </figure>
  );
}
