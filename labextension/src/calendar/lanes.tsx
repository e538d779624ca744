import type { EventInput } from '@fullcalendar/react';
import * as React from 'react';

import { Board, firstHour, type IBoardProps } from './board';

interface ILanesProps extends Omit<IBoardProps, 'qpu' | 'lane' | 'entries'> {
  readonly qpus: readonly string[];
  /** The entries of each QPU. */
  readonly entries: ReadonlyMap<string, readonly EventInput[]>;
}

const NONE: readonly EventInput[] = [];

/** One day with a column for each QPU, so that many stay legible beside each other. */
export const Lanes = React.memo(function Lanes(props: ILanesProps): React.ReactElement {
  const { qpus, entries, context, ...common } = props;
  const { model, tones, zone } = context;
  const root = React.useRef<HTMLDivElement>(null);
  React.useLayoutEffect(() => {
    if (root.current) {
      root.current.scrollTop = (root.current.scrollHeight * firstHour(model.now(), zone)) / 24;
    }
  }, [model, zone]);
  return (
    <div ref={root} className="jp-QPI-Lanes">
      {qpus.map((qpu, place) => (
        <section key={qpu} className="jp-QPI-Lane" data-qpu={qpu} aria-label={qpu}>
          <h3 className={`jp-QPI-LaneName jp-QPI-Tone-${tones.get(qpu) ?? 0}`} title={qpu}>
            <span className="jp-QPI-Swatch" aria-hidden="true" />
            <span className="jp-QPI-ChipName">{qpu}</span>
          </h3>
          <Board
            {...common}
            context={context}
            qpu={qpu}
            lane={place === 0 ? 'first' : 'other'}
            entries={entries.get(qpu) ?? NONE}
          />
        </section>
      ))}
    </div>
  );
});
