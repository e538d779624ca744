import * as React from 'react';

import type { JobModel } from '../wire';
import { save, told } from './actions';
import { CircuitChoice } from './choice';
import { bars, countsCsv, type IBar } from './counts';
import { Section } from './facts';
import { IqResults } from './iqview';
import type { JobDetail } from './jobmodel';
import type { ITools } from './tools';

/** What was measured: bars of the counts, and files to take along. */
export function Results(props: {
  job: JobModel;
  model: JobDetail;
  tools: ITools;
}): React.ReactElement | null {
  const { job, model, tools } = props;
  const { trans } = tools;
  const [chosen, choose] = React.useState(0);
  if (job.status !== 'completed') {
    return null;
  }
  const circuits = job.counts ?? [];
  const circuit = Math.min(chosen, circuits.length - 1);
  const counts = circuits[circuit] ?? {};
  return (
    <Section
      title={trans.__('Result')}
      actions={<Downloads job={job} model={model} tools={tools} />}
    >
      <CircuitChoice count={circuits.length} value={circuit} choose={choose} tools={tools} />
      {Object.keys(counts).length > 0 ? (
        <Histogram counts={counts} tools={tools} />
      ) : (
        <IqResults model={model} tools={tools} />
      )}
    </Section>
  );
}

function Histogram(props: {
  counts: Readonly<Record<string, number>>;
  tools: ITools;
}): React.ReactElement {
  const { trans } = props.tools;
  const shown = bars(props.counts);
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

function Downloads(props: { job: JobModel; model: JobDetail; tools: ITools }): React.ReactElement {
  const { job, model } = props;
  const { trans } = props.tools;
  const fetch = async (what: 'dataset' | 'result', name: string) => {
    const blob = await told(model.download(what));
    if (blob) {
      save(blob, name);
    }
  };
  const { counts } = job;
  const bytes = job.dataset ? ` (${size(job.dataset.bytes)})` : '';
  return (
    <div className="jp-QPI-Buttons">
      <button
        type="button"
        className="jp-QPI-Action jp-mod-styled"
        onClick={() => void fetch('result', `${job.id}.json`)}
      >
        {trans.__('Result JSON')}
      </button>
      <button
        type="button"
        className="jp-QPI-Action jp-mod-styled"
        onClick={() => void fetch('dataset', `${job.id}.zip`)}
      >
        {trans.__('NetCDF zip')}
        {bytes}
      </button>
      {counts !== null && (
        <button
          type="button"
          className="jp-QPI-Action jp-mod-styled"
          onClick={() => save(new Blob([countsCsv(counts)], { type: 'text/csv' }), `${job.id}.csv`)}
        >
          {trans.__('Counts CSV')}
        </button>
      )}
    </div>
  );
}

function size(bytes: number): string {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
