import type { EventInput } from '@fullcalendar/react';
import * as React from 'react';

import { type ITimeGridProps, keepHours, TimeGrid } from './timegrid';
import { firstHour } from './zones';

interface ILanesProps extends Omit<ITimeGridProps, 'qpu' | 'lane' | 'entries'> {
  readonly qpus: readonly string[];
  /** The entries of each QPU. */
  readonly entries: ReadonlyMap<string, readonly EventInput[]>;
}

const NONE: readonly EventInput[] = [];

/** One day with a column for each QPU, so that many stay legible beside each other. */
export const Lanes = React.memo(function Lanes(props: ILanesProps): React.ReactElement {
  const { qpus, entries, context, ...common } = props;
  const { model, tones, zone } = context;
  const root = React.useRef<HTMLElement>(null);
  // How high the hours are is known a moment after they are drawn.
  React.useEffect(() => {
    const node = root.current;
    const sized = new ResizeObserver(() => {
      if (node && node.scrollHeight > node.clientHeight) {
        node.scrollTop = (node.scrollHeight * firstHour(model.now(), zone)) / 24;
        sized.disconnect();
      }
    });
    node?.querySelectorAll('.jp-QPI-LaneBoard').forEach(board => {
      sized.observe(board);
    });
    return () => sized.disconnect();
  }, [model, zone]);
  return (
    <section
      ref={root}
      className="jp-QPI-Lanes"
      aria-label={context.trans.__('The day, a column for each QPU')}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: so that the keyboard scrolls it
      tabIndex={0}
      onScroll={keepHours}
    >
      {qpus.map((qpu, place) => (
        <section key={qpu} className="jp-QPI-Lane" data-qpu={qpu} aria-label={qpu}>
          <h3 className={`jp-QPI-LaneName jp-QPI-Tone-${tones.get(qpu) ?? 0}`} title={qpu}>
            <span className="jp-QPI-Swatch" aria-hidden="true" />
            <span className="jp-QPI-ChipName">{qpu}</span>
          </h3>
          <div className={`jp-QPI-LaneBoard ${place === 0 ? '' : 'jp-mod-bare'}`}>
            <TimeGrid
              {...common}
              context={context}
              qpu={qpu}
              lane={place === 0 ? 'first' : 'other'}
              entries={entries.get(qpu) ?? NONE}
            />
          </div>
        </section>
      ))}
    </section>
  );
});
