import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { span } from '../prospects';
import { CircuitChoice } from '../queue/choice';
import { drawing } from '../queue/circuit';
import { CircuitView } from '../queue/circuitview';
import { time } from '../queue/timeline';
import { Timeline } from '../queue/timelineview';
import type { BookingFit } from '../wire';
import type { IPreview, IPreviewedCircuit } from './preview';

/** What a job would be on a QPU: its cost, what to think of, and each circuit with its pulses. */
export function PreviewView(props: {
  preview: IPreview;
  trans: TranslationBundle;
}): React.ReactElement | null {
  const { preview, trans } = props;
  const { circuits, total } = preview;
  const [chosen, choose] = React.useState(0);
  const circuit = circuits[Math.min(chosen, circuits.length - 1)] ?? null;
  return (
    circuit && (
      <section className="jp-QPI-Preview" aria-label={trans.__('Preview on %1', preview.qpu)}>
        <p>
          <strong>{trans.__('Preview on %1', preview.qpu)}</strong> · {trans.__('nothing has run')}
        </p>
        <CircuitChoice count={circuits.length} value={chosen} choose={choose} tools={{ trans }} />
        {total > circuits.length && (
          <p>{trans.__('The first %1 of %2 circuits are here.', circuits.length, total)}</p>
        )}
        <Facts preview={preview} circuit={circuit} trans={trans} />
        {circuit.warnings.map(warning => (
          <p key={warning} role="note" className="jp-QPI-Doubt">
            {warning}
          </p>
        ))}
        <Circuit circuit={circuit} trans={trans} />
      </section>
    )
  );
}

function Facts(props: {
  preview: IPreview;
  circuit: IPreviewedCircuit;
  trans: TranslationBundle;
}): React.ReactElement {
  const { circuit, preview, trans } = props;
  const { booking, charge, estimate_s, upper_s } = preview;
  const shot = circuit.duration_s;
  return (
    <dl>
      {shot !== null && (
        <>
          <dt>{trans.__('One shot')}</dt>
          <dd>
            {circuit.reset_s > 0
              ? trans.__('%1, after a reset of %2', time(shot), time(circuit.reset_s))
              : time(shot)}
          </dd>
        </>
      )}
      <dt>{trans.__('Whole job')}</dt>
      <dd>{trans.__('about %1, at most %2', span(estimate_s, trans), span(upper_s, trans))}</dd>
      <dt>{trans.__('QPU time')}</dt>
      <dd>
        {trans.__('about %1 from %2', span(charge.seconds, trans), charge.account)}
        {charge.available_s !== null &&
          ` · ${trans.__('%1 left', span(Math.max(0, charge.available_s), trans))}`}
        {!charge.covered && <strong> · {trans.__('not enough')}</strong>}
      </dd>
      {booking && (
        <>
          <dt>{trans.__('Booking')}</dt>
          <dd>{fitOf(booking, trans)}</dd>
        </>
      )}
    </dl>
  );
}

/** Whether the job fits into the booking that the QPU is in. */
function fitOf({ fits, left_s, mine }: BookingFit, trans: TranslationBundle): string {
  const left = span(left_s, trans);
  if (!mine) {
    return trans.__('Somebody else’s for another %1', left);
  }
  return fits === 'yes'
    ? trans.__('Fits: yours for another %1', left)
    : fits === 'likely'
      ? trans.__('Likely to fit: yours for another %1', left)
      : trans.__('Does not fit: yours for another %1', left);
}

function Circuit(props: {
  circuit: IPreviewedCircuit;
  trans: TranslationBundle;
}): React.ReactElement {
  const { circuit, trans } = props;
  const drawn = React.useMemo(() => drawing(circuit.native), [circuit.native]);
  return (
    <>
      {circuit.problem && <p>{circuit.problem}</p>}
      {drawn && <CircuitView drawing={drawn} tools={{ trans }} />}
      {circuit.timeline && <Timeline timeline={circuit.timeline} trans={trans} />}
      {circuit.native && (
        <details open={!drawn}>
          <summary>{trans.__('Native circuit as OpenQASM 3')}</summary>
          <pre className="jp-QPI-Code">{circuit.native}</pre>
        </details>
      )}
    </>
  );
}
