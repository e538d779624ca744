import type * as React from 'react';

import type { JobModel } from '../wire';
import { countsCsv } from './counts';
import { Histogram } from './countsview';
import { Experiments } from './experiments';
import { Section } from './facts';
import type { IResultSource } from './followed';
import { save, told } from './told';
import type { ITools } from './tools';

/** What was measured: the counts, or what else its kind draws, and files to take along. */
export function Results(props: {
  job: JobModel;
  model: IResultSource;
  tools: Pick<ITools, 'trans'>;
}): React.ReactElement | null {
  const { job, model, tools } = props;
  const { trans } = tools;
  if (job.status !== 'completed') {
    return null;
  }
  // Of several circuits the results say which of them are rows of a sweep
  const [counts, ...others] = job.counts ?? [];
  return (
    <Section
      title={trans.__('Result')}
      actions={<Downloads job={job} model={model} tools={tools} />}
    >
      {counts && others.length === 0 && Object.keys(counts).length > 0 ? (
        <Histogram counts={counts} trans={trans} />
      ) : (
        <Experiments model={model} tools={tools} />
      )}
    </Section>
  );
}

function Downloads(props: {
  job: JobModel;
  model: IResultSource;
  tools: Pick<ITools, 'trans'>;
}): React.ReactElement {
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
