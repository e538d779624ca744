import type { TranslationBundle } from '@jupyterlab/translation';
import type * as React from 'react';

import type { IExperiment } from '../drawings';
import { bars, byOutcome, type IBar } from './counts';
import { Undrawn } from './drawn';

/** The counts of a result that has too many of them to come with its job. */
export function CountsOf(props: {
  experiment: IExperiment;
  trans: TranslationBundle;
}): React.ReactElement {
  const { experiment, trans } = props;
  const { counts } = experiment.data;
  return counts && Object.keys(counts).length > 0 ? (
    <Histogram counts={byOutcome(counts, experiment.header.memory_slots)} trans={trans} />
  ) : (
    <Undrawn experiment={experiment} trans={trans} />
  );
}

export function Histogram(props: {
  counts: Readonly<Record<string, number>>;
  trans: TranslationBundle;
}): React.ReactElement {
  return <Bars bars={bars(props.counts)} trans={props.trans} />;
}

export function Bars(props: {
  bars: readonly IBar[];
  trans: TranslationBundle;
}): React.ReactElement {
  const { bars: shown, trans } = props;
  const most = Math.max(...shown.map(bar => bar.share));
  const name = (bar: IBar) =>
    bar.outcome ?? trans._n('%1 other outcome', '%1 other outcomes', bar.outcomes);
  return (
    <ul className="jp-QPI-Histogram" aria-label={trans.__('Counts')}>
      {shown.map(bar => (
        <li key={bar.outcome ?? ''} className="jp-QPI-Bar" data-rest={bar.outcome === null}>
          <span className="jp-QPI-BarName" title={name(bar)}>
            {name(bar)}
          </span>
          <span className="jp-QPI-BarTrack" aria-hidden="true">
            <span style={{ width: `${(100 * bar.share) / most}%` }} />
          </span>
          <span className="jp-QPI-BarCount">
            {bar.count.toLocaleString()} <small>{(100 * bar.share).toFixed(1)} %</small>
          </span>
        </li>
      ))}
    </ul>
  );
}
