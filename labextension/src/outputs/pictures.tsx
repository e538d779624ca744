import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { IDrawing } from '../drawings';
import type { IBar } from '../queue/counts';
import { Bars } from '../queue/countsview';
import { Choice, formOf } from '../queue/drawn';
import { type IApart, isPoint, planeOf } from '../queue/iq';
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

/** The bars of a histogram in the outcomes' order, whatever order they came in; none where it is not one. */
export function barsOf({ bars, outcomes }: IDrawing): IBar[] {
  const found = (Array.isArray(bars) ? bars : []).flatMap((bar): IBar[] => {
    const { label, count, share, rest } = (bar ?? {}) as Record<string, unknown>;
    return typeof label === 'string' && typeof count === 'number' && typeof share === 'number'
      ? [{ outcome: rest === true ? null : label, count, share, outcomes: 1 }]
      : [];
  });
  const others = (typeof outcomes === 'number' ? outcomes : 0) - found.length + 1;
  const place = ({ outcome }: IBar) => (outcome === null ? 1 : 0);
  return found
    .map(bar => (bar.outcome === null ? { ...bar, outcomes: others } : bar))
    .sort((a, b) => place(a) - place(b) || ((a.outcome ?? '') < (b.outcome ?? '') ? -1 : 1));
}

/** The points of a drawing in the IQ plane; null where there are none. */
export function pointsOf(drawing: IDrawing) {
  const { averaged, bits, i, q, total } = drawing;
  const [xs, ys, own] = [i, q, bits].map((list): unknown[] => (Array.isArray(list) ? list : []));
  const known = (xs ?? []).flatMap((x, n) => {
    const point: unknown = [x, ys?.[n]];
    return isPoint(point) ? [{ point, bit: own?.[n] }] : [];
  });
  return planeOf(
    known.map(({ point }) => point),
    typeof total === 'number' ? total : known.length,
    averaged === true,
    apartOf(
      drawing,
      known.map(({ bit }) => bit)
    )
  );
}

function apartOf({ centres, fidelity, line }: IDrawing, bits: readonly unknown[]): IApart | null {
  const pair = (value: unknown) => (Array.isArray(value) ? value : []).filter(isPoint);
  const [two, ends] = [pair(centres), pair(line)];
  const told = bits.filter(bit => bit === 0 || bit === 1);
  return two.length === 2 && ends.length === 2 && told.length === bits.length
    ? {
        bits: told,
        centres: two,
        line: ends,
        fidelity: typeof fidelity === 'number' ? fidelity : null
      }
    : null;
}
