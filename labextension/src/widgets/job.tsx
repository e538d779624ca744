import '../../style/queue.css';

import type * as React from 'react';

import { Act } from '../act';
import type { IExperiment } from '../drawings';
import { useFrame } from '../hooks';
import { isOfJob, newer, withEvent } from '../jobs';
import { span } from '../prospects';
import { Results } from '../queue/results';
import { Wait } from '../queue/wait';
import { Refresher } from '../refresher';
import { messageOf } from '../request';
import { jobRow } from '../rows';
import { at } from '../send';
import { StateModel } from '../statemodel';
import type { JobModel, LabEvent } from '../wire';
import { shotsOf } from '../words';
import type { Kernel } from './kernel';
import { KernelLab } from './lab';
import { anywidget } from './mount';
import { english } from './words';

interface IState {
  readonly job: JobModel | null;
  readonly problem: string | null;
  readonly deleted: boolean;
}

/** The job of a widget, kept up to date by the events that its kernel hears. */
class Job extends StateModel<IState> {
  constructor(
    readonly id: string,
    readonly kernel: Kernel
  ) {
    super({ job: null, problem: null, deleted: false });
    this.lab = new KernelLab(kernel, []);
    this._leave = this.lab.follow({
      heard: event => this._heard(event),
      missed: () => this._refresher.want(),
      back: () => this._refresher.want()
    });
    this._refresher.want();
  }

  readonly lab: KernelLab;

  async download(what: 'dataset' | 'result'): Promise<Blob> {
    return this.kernel.file(at('jobs', this.id, what));
  }

  async experiments(): Promise<readonly IExperiment[]> {
    const path = at('jobs', this.id, 'result');
    return (await this.kernel.request<{ results: IExperiment[] }>(path)).results;
  }

  override dispose(): void {
    this._leave();
    this._refresher.dispose();
    this.lab.dispose();
    super.dispose();
  }

  private async _refresh(): Promise<void> {
    try {
      const found = await this.kernel.request<JobModel>(at('jobs', this.id));
      const { job } = this.state;
      this._replace({ job: newer(job ?? undefined, found), problem: null });
    } catch (error) {
      this._replace({ problem: messageOf(error) });
    }
  }

  private _heard(event: LabEvent): void {
    const { job } = this.state;
    if (event.job_id !== this.id) {
      if (job?.phase === 'queued' && event.kind === 'job.changed' && event.qpu === job.qpu) {
        this._refresher.want(); // others move it on
      }
    } else if (event.kind === 'job.deleted') {
      this._replace({ deleted: true });
    } else {
      if (job && isOfJob(event)) {
        this._replace({ job: withEvent(job, event) });
      }
      this._refresher.want();
    }
  }

  private readonly _leave: () => void;
  private readonly _refresher = new Refresher(() => this._refresh());
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
    job.qpu ?? '',
    trans._n('%1 circuit', '%1 circuits', job.num_circuits),
    shotsOf(job.shots, trans),
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
      <Results job={job} model={model} tools={tools} />
    </section>
  );
}

export default anywidget('JobWidget', 'Job', ({ model, kernel }) => {
  const job = new Job(String(model.get('job_id')), kernel);
  return { element: <View model={job} />, dispose: () => job.dispose() };
});
