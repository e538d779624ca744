import { Dialog, showDialog } from '@jupyterlab/apputils';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IExperiment } from '../drawings';
import { messageOf } from '../request';
import { qpusOf } from '../rows';
import { at } from '../send';
import type { JobModel, JobProvenance } from '../wire';
import { stamp } from '../words';
import { comparedOf, type ICompared } from './compare';
import { formOf } from './drawn';
import { shownOf } from './sweeps';
import type { ITools } from './tools';

/** So many results are seen over one another. */
const MOST = 4;

interface IRead extends ICompared {
  readonly job: JobModel;
  readonly calibration: string;
}

/** Show the results of chosen jobs over one another. */
export async function compareJobs(tools: ITools, jobs: readonly JobModel[]): Promise<void> {
  const { trans } = tools;
  await showDialog({
    title: trans.__('Compare results'),
    body: ReactWidget.create(<Compared jobs={jobs} tools={tools} />),
    buttons: [Dialog.okButton({ label: trans.__('Close') })]
  });
}

function Compared(props: { jobs: readonly JobModel[]; tools: ITools }): React.ReactElement {
  const { jobs, tools } = props;
  const { manager, trans } = tools;
  const [read, setRead] = React.useState<readonly IRead[] | null>(null);
  const [problem, setProblem] = React.useState('');
  React.useEffect(() => {
    let wanted = true;
    const some = jobs.slice(0, MOST);
    Promise.all(some.map((job, n) => readResult(tools, job, some, n))).then(
      found => wanted && setRead(found),
      error => wanted && setProblem(messageOf(error))
    );
    return () => {
      wanted = false;
    };
  }, [jobs, tools]);
  if (problem || read === null) {
    return <p role="status">{problem || trans.__('Loading…')}</p>;
  }
  const drawing = comparedOf(read);
  return (
    <div className="jp-QPI-Compared">
      {jobs.length > MOST && (
        <p role="note">{trans.__('Comparing the first %1 of %2 results.', MOST, jobs.length)}</p>
      )}
      {(drawing && formOf(drawing, trans)) ?? (
        <p>{trans.__('These results have nothing in common that can be drawn.')}</p>
      )}
      <table className="jp-QPI-ResultTable">
        <thead>
          <tr>
            <th scope="col">{trans.__('Result')}</th>
            <th scope="col">{trans.__('QPU')}</th>
            <th scope="col">{trans.__('Shots')}</th>
            <th scope="col">{trans.__('Started')}</th>
            <th scope="col">{trans.__('Calibration')}</th>
          </tr>
        </thead>
        <tbody>
          {read.map(({ calibration, job, name }) => (
            <tr key={job.id}>
              <th scope="row">{name}</th>
              <td>{qpusOf(job)}</td>
              <td>{job.shots.toLocaleString()}</td>
              <td>{job.started_at ? stamp(job.started_at, manager.now(), true) : '—'}</td>
              <td>{calibration || '—'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** A job's first result, and what it was calibrated with. */
async function readResult(
  { manager }: ITools,
  job: JobModel,
  jobs: readonly JobModel[],
  place: number
): Promise<IRead> {
  const [{ results }, { result }] = await Promise.all([
    manager.request<{ results: IExperiment[] }>(at('jobs', job.id, 'result')),
    manager.request<JobProvenance>(at('jobs', job.id, 'provenance'))
  ]);
  const [experiment] = shownOf(results);
  if (!experiment) {
    throw new Error(job.id);
  }
  const calibration = result?.calibration_id;
  const name = job.name || job.id;
  const again = jobs.some((other, n) => n !== place && (other.name || other.id) === name);
  return {
    job,
    experiment,
    calibration: typeof calibration === 'string' ? calibration : '',
    name: again ? `${place + 1} ${name}` : name
  };
}
