import { Clipboard } from '@jupyterlab/apputils';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { handFocus, keepFocus } from '../focus';
import { useFrame, useLab } from '../hooks';
import { hasEnded } from '../jobs';
import { isCancellable } from '../rows';
import type { JobModel } from '../wire';
import { cancelJobs, deleteJobs } from './actions';
import { compareJobs } from './compareview';
import { FilterBar } from './filterbar';
import { mayEdit } from './filters';
import type { QueueModel } from './model';
import { NOTHING } from './selection';
import { chosenJobs, JobTable } from './table';
import type { ITools } from './tools';

/** The queue tab: filters above, the table of jobs below. */
export class QueueView extends ReactWidget {
  constructor(
    private readonly _model: QueueModel,
    private readonly _tools: ITools
  ) {
    super();
    this.addClass('jp-QPI-Queue');
    keepFocus(this.node, () => this._grid);
    void _model.reload();
  }

  override dispose(): void {
    this._model.dispose();
    super.dispose();
  }

  protected override onActivateRequest(): void {
    void handFocus(this, () => this._grid);
  }

  protected override render(): React.ReactElement {
    return <Queue model={this._model} tools={this._tools} />;
  }

  private get _grid(): HTMLElement | null {
    return this.node.querySelector('[role="grid"]');
  }
}

function Queue(props: { model: QueueModel; tools: ITools }): React.ReactElement {
  const { model, tools } = props;
  const [selection, select] = React.useState(NOTHING);
  useFrame(model.changed);
  return (
    <>
      <FilterBar model={model} tools={tools} />
      <JobTable model={model} tools={tools} selection={selection} select={select} />
      <Footer model={model} tools={tools}>
        <Chosen jobs={chosenJobs(model, selection)} tools={tools} clear={() => select(NOTHING)} />
      </Footer>
    </>
  );
}

/** How much is here, and why not more. */
function Footer(props: {
  model: QueueModel;
  tools: ITools;
  children: React.ReactNode;
}): React.ReactElement {
  const { model } = props;
  const { trans } = props.tools;
  const { by, descending } = model.order;
  const shown = model.total ?? model.length;
  const count = shown.toLocaleString();
  const sure = model.total !== null || model.complete;
  return (
    <div className="jp-QPI-QueueFooter">
      <span role="status">
        {[
          sure
            ? trans._n('%2 job', '%2 jobs', shown, count)
            : trans._n('%2 job so far', '%2 jobs so far', shown, count),
          by === 'submitted' && descending ? trans.__('newest first') : ''
        ]
          .filter(Boolean)
          .join(', ')}
      </span>
      {model.loading && <span>{trans.__('Loading…')}</span>}
      {model.problem !== null && (
        <span role="alert" className="jp-QPI-Problem">
          {model.problem}{' '}
          <button
            type="button"
            className="jp-QPI-Action jp-mod-styled"
            onClick={() => void model.retry()}
          >
            {trans.__('Try again')}
          </button>
        </span>
      )}
      {props.children}
    </div>
  );
}

/** What can be done with the chosen jobs; without any, the keys to know. */
function Chosen(props: {
  jobs: readonly JobModel[];
  tools: ITools;
  clear: () => void;
}): React.ReactElement {
  const { jobs, tools } = props;
  const { trans } = tools;
  const me = useLab(tools.manager, state => state.me);
  const own = jobs.filter(job => mayEdit(job, me));
  const going = own.filter(isCancellable);
  const ended = own.filter(hasEnded);
  if (jobs.length === 0) {
    return (
      <span className="jp-QPI-Hint">
        {trans.__('↑ ↓ choose, with Shift several, Enter opens, Delete cancels or deletes')}
      </span>
    );
  }
  const done = jobs.filter(job => job.status === 'completed');
  const buttons: [number, string, () => void][] = [
    [done.length > 1 ? done.length : 0, trans.__('Compare'), () => void compareJobs(tools, done)],
    [
      going.length,
      trans._n('Cancel one job', 'Cancel %1 jobs', going.length),
      () => void cancelJobs(tools, going)
    ],
    [
      ended.length,
      trans._n('Delete one job', 'Delete %1 jobs', ended.length),
      () => void deleteJobs(tools, ended)
    ],
    [
      jobs.length,
      trans._n('Copy id', 'Copy %1 ids', jobs.length),
      () => Clipboard.copyToSystem(jobs.map(job => job.id).join('\n'))
    ],
    [jobs.length, trans.__('Clear selection'), props.clear]
  ];
  return (
    <section className="jp-QPI-Chosen" aria-label={trans.__('Chosen jobs')}>
      <span>{trans._n('one job chosen', '%1 jobs chosen', jobs.length)}</span>
      {buttons
        .filter(([count]) => count > 0)
        .map(([, label, act]) => (
          <button type="button" key={label} className="jp-QPI-Action jp-mod-styled" onClick={act}>
            {label}
          </button>
        ))}
    </section>
  );
}
