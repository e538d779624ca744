import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { bars, type IBar } from './counts';

export function Histogram(props: {
  counts: Readonly<Record<string, number>>;
  trans: TranslationBundle;
}): React.ReactElement {
  return <Bars bars={bars(props.counts)} trans={props.trans} />;
}

/** A bar for each outcome, by its bits or by how often it came; what has no bar is said below. */
export function Bars(props: {
  bars: readonly IBar[];
  trans: TranslationBundle;
}): React.ReactElement {
  const { trans } = props;
  const [often, setOften] = React.useState(false);
  const shown = props.bars.filter(bar => bar.outcome !== null);
  const rest = props.bars.find(bar => bar.outcome === null);
  const most = Math.max(...shown.map(bar => bar.share));
  const sorted = often ? [...shown].sort((a, b) => b.count - a.count) : shown;
  return (
    <>
      {shown.length > 2 && (
        <label className="jp-QPI-CircuitChoice">
          {trans.__('Sort by')}{' '}
          <select
            className="jp-mod-styled"
            value={often ? 'count' : 'outcome'}
            onChange={event => setOften(event.target.value === 'count')}
          >
            <option value="outcome">{trans.__('outcome')}</option>
            <option value="count">{trans.__('count')}</option>
          </select>
        </label>
      )}
      <ul className="jp-QPI-Histogram" aria-label={trans.__('Counts')}>
        {sorted.map(bar => (
          <li key={bar.outcome} className="jp-QPI-Bar">
            <span className="jp-QPI-BarName" title={bar.outcome ?? ''}>
              {bar.outcome}
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
      {rest && (
        <p className="jp-QPI-Detail">
          {trans._n(
            'And %1 other outcome with %2 shots together (%3 %).',
            'And %1 other outcomes with %2 shots together (%3 %).',
            rest.outcomes,
            rest.count.toLocaleString(),
            (100 * rest.share).toFixed(1)
          )}
        </p>
      )}
    </>
  );
}
