import '../../style/queue.css';

import type * as React from 'react';

import { Act } from '../act';
import { useFrame } from '../hooks';
import { span } from '../prospects';
import { FollowedJob, type IFollowed, UNKNOWN } from '../queue/followed';
import { Growing } from '../queue/growing';
import { Results } from '../queue/results';
import { Wait } from '../queue/wait';
import { messageOf } from '../request';
import { jobRow, qpusOf } from '../rows';
import { sizeOf } from '../words';
import type { Kernel } from './kernel';
import { KernelLab } from './lab';
import { anywidget } from './mount';
import { english } from './words';

/** The job of a widget, asked for through its kernel. */
class Job extends FollowedJob<IFollowed> {
  constructor(
    id: string,
    kernel: Kernel,
    readonly lab = new KernelLab(kernel, [])
  ) {
    super(id, lab, path => kernel.file(path), UNKNOWN);
    void this.refresh();
  }

  override async refresh(): Promise<void> {
    try {
      this._replace({ job: await this._ask(), problem: null });
    } catch (error) {
      this._replace({ problem: messageOf(error) });
    }
  }

  override dispose(): void {
    super.dispose();
    this.lab.dispose();
  }
}

function View({ model }: { model: Job }): React.ReactElement {
  useFrame(model.changed);
  const { job, problem, deleted } = model.state;
  const trans = english;
  const tools = { manager: model.lab, trans };
  if (job === null) {
    return <p role="status">{problem ?? trans.__('Loading…')}</p>;
  }
  const row = jobRow(job, model.lab.now(), trans);
  const facts = [
    qpusOf(job),
    sizeOf(job, trans),
    job.busy_s ? trans.__('ran %1', span(job.busy_s, trans)) : ''
  ];
  return (
    <section aria-label={trans.__('Job %1', row.title)}>
      <div className="jp-QPI-JobHead" data-tone={row.tone}>
        <div className="jp-QPI-JobTitle">
          <h1 title={job.id}>{row.title}</h1>
          <span className="jp-QPI-Badge" role="status">
            <span className="jp-QPI-Dot" aria-hidden="true" />
            {row.state}
          </span>
          {row.cancellable && (
            <Act
              label={trans.__('Cancel')}
              name={trans.__('Cancel job %1', row.title)}
              act={() => model.lab.cancel(job.id)}
              className="jp-mod-reject"
            />
          )}
        </div>
        <p className="jp-QPI-Detail">{facts.filter(Boolean).join(' · ')}</p>
      </div>
      {(problem !== null || deleted) && (
        <p role="alert" className="jp-QPI-Problem">
          {deleted ? trans.__('This job was deleted.') : problem}
        </p>
      )}
      <Wait job={job} tools={tools} />
      {job.status === 'running' && <Growing job={job} model={model} tools={tools} />}
      <Results job={job} model={model} tools={tools} />
    </section>
  );
}

export default anywidget('JobWidget', 'Job', ({ model, kernel }) => {
  const job = new Job(String(model.get('job_id')), kernel);
  return { element: <View model={job} />, dispose: () => job.dispose() };
});
