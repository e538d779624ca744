import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { IDrawing } from '../drawings';
import type { IBar } from '../queue/counts';
import { Bars } from '../queue/countsview';
import { Choice, formOf } from '../queue/drawn';
import { planeOf } from '../queue/iq';
import { Plane } from '../queue/iqview';
import type { JobOutput } from '../wire';

/** What is drawn of a result, one drawing at a time. */
export function Pictures(props: {
  output: Pick<JobOutput, 'drawings' | 'total'>;
  trans: TranslationBundle;
}): React.ReactElement | null {
  const { output, trans } = props;
  const [chosen, choose] = React.useState(0);
  const drawings = output.drawings.map(asDrawing);
  const drawing = drawings[Math.min(chosen, drawings.length - 1)];
  if (!drawing) {
    return null;
  }
  return (
    <>
      <Choice {...{ drawings, chosen, choose, trans }}>
        {output.total > drawings.length && (
          <> {trans.__('The first %1 of %2 are here.', drawings.length, output.total)}</>
        )}
      </Choice>
      <Picture drawing={drawing} trans={trans} />
    </>
  );
}

function Picture(props: { drawing: IDrawing; trans: TranslationBundle }): React.ReactElement {
  const { drawing, trans } = props;
  const bars = drawing.draw === 'counts' ? barsOf(drawing) : [];
  const plane = drawing.draw === 'iq' ? pointsOf(drawing) : null;
  if (bars.length > 0) {
    return <Bars bars={bars} trans={trans} />;
  }
  if (plane) {
    return <Plane plane={plane} trans={trans} />;
  }
  return (
    formOf(drawing, trans) ?? (
      <p className="jp-QPI-Detail">
        {trans.__('This version of the lab can’t show drawings of the form “%1”.', drawing.draw)}
      </p>
    )
  );
}

/** What a notebook or the lab holds as a drawing. */
export function asDrawing(drawing: JobOutput['drawings'][number]): IDrawing {
  return { ...drawing, draw: String(drawing.draw), label: String(drawing.label ?? '') };
}

/** The bars of a histogram; none where it is not one. */
export function barsOf({ bars, outcomes }: IDrawing): IBar[] {
  const found = (Array.isArray(bars) ? bars : []).flatMap((bar): IBar[] => {
    const { label, count, share, rest } = (bar ?? {}) as Record<string, unknown>;
    return typeof label === 'string' && typeof count === 'number' && typeof share === 'number'
      ? [{ outcome: rest === true ? null : label, count, share, outcomes: 1 }]
      : [];
  });
  const others = (typeof outcomes === 'number' ? outcomes : 0) - found.length + 1;
  return found.map(bar => (bar.outcome === null ? { ...bar, outcomes: others } : bar));
}

/** The points of a drawing in the IQ plane; null where there are none. */
export function pointsOf({ i, q, total, averaged }: IDrawing) {
  const [xs, ys] = [i, q].map(list => (Array.isArray(list) ? list : []));
  const points = (xs ?? []).flatMap((x, n): [number, number][] => {
    const y: unknown = ys?.[n];
    return typeof x === 'number' && typeof y === 'number' ? [[x, y]] : [];
  });
  return planeOf(points, typeof total === 'number' ? total : points.length, averaged === true);
}
