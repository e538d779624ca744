import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';
import { Act } from '../act';
import { CopyId } from '../copyid';
import { keepFocus } from '../focus';
import { useFrame, useLab } from '../hooks';
import { span } from '../prospects';
import { isCancellable, jobRow, qpusOf } from '../rows';
import type { JobModel } from '../wire';
import { sizeOf } from '../words';
import { cancelJobs, deleteJobs, openResult } from './actions';
import { Attempts, Ledger, Provenance, Story } from './facts';
import { calledIn, Family } from './family';
import { Growing } from './growing';
import { JobForm } from './jobform';
import { type JobDetail, TOLD } from './jobmodel';
import { labelWords, TEXT_LABELS } from './labels';
import { notebookOf } from './notebooks';
import { openOrigin } from './origin';
import { ProgramView } from './programview';
import { Results } from './results';
import { CommandIDs, type ITools } from './tools';
import { Wait } from './wait';
import { moment } from './words';

const Plan = React.lazy(() => import('../plan/view'));

/** The tab of one job. */
export class JobView extends ReactWidget {
  constructor(
    private readonly _model: JobDetail,
    private readonly _tools: ITools
  ) {
    super();
    this.addClass('jp-QPI-Job');
    keepFocus(this.node, () => this.node);
    void _model.refresh();
  }

  override dispose(): void {
    this._model.dispose();
    super.dispose();
  }

  protected override onActivateRequest(): void {
    this.node.focus();
  }

  protected override render(): React.ReactElement {
    return <JobPage model={this._model} tools={this._tools} />;
  }
}

function JobPage(props: { model: JobDetail; tools: ITools }): React.ReactElement {
  const { model, tools } = props;
  const { trans } = tools;
  useFrame(model.changed);
  useLab(tools.manager, state => state.me); // it says what may be done
  useFrame(tools.bin.changed);
  const { job, problem, deleted, events, family, plan, provenance, sources, text } = model.state;
  const own = events.filter(event => event.job_id === model.id);
  const going = tools.bin.has(model.id);
  return (
    <div className="jp-QPI-JobPage" data-job={model.id}>
      {problem !== null && (
        <div role="alert" className="jp-QPI-Problem">
          {problem}{' '}
          <button
            type="button"
            className="jp-QPI-Action jp-mod-styled"
            onClick={() => void model.refresh()}
          >
            {trans.__('Try again')}
          </button>
        </div>
      )}
      {(deleted || going) && (
        <div role="status" className="jp-QPI-Problem">
          {deleted ? trans.__('This job was deleted.') : trans.__('This job is being deleted.')}{' '}
          {going && (
            <button
              type="button"
              className="jp-QPI-Action jp-mod-styled"
              onClick={() => tools.bin.undo(model.id)}
            >
              {trans.__('Undo')}
            </button>
          )}
        </div>
      )}
      {job === null && problem === null && <p role="status">{trans.__('Loading…')}</p>}
      {job !== null && (
        <>
          <Head job={job} model={model} tools={tools} />
          <Wait job={job} tools={tools} />
          {plan !== null && (
            <React.Suspense fallback={null}>
              <Plan run={plan} tools={tools} />
            </React.Suspense>
          )}
          {family !== null && <Family job={job} family={family} tools={tools} />}
          {job.status === 'running' && <Growing job={job} model={model} tools={tools} />}
          <Results job={job} model={model} tools={tools} />
          <ProgramView job={job} program={text} sources={sources} tools={tools} />
          <div className="jp-QPI-Columns">
            <Story
              events={events}
              called={calledIn(family)}
              alone={(family?.jobs.length ?? 0) > TOLD}
              tools={tools}
            />
            <Attempts events={own} tools={tools} />
            <Ledger events={own} tools={tools} />
            <Provenance job={job} provenance={provenance} tools={tools} />
          </div>
        </>
      )}
    </div>
  );
}

interface IProps {
  readonly job: JobModel;
  readonly model: JobDetail;
  readonly tools: ITools;
}

/** What it is, how it stands and what can be done with it. */
function Head(props: IProps): React.ReactElement {
  const { job, model, tools } = props;
  const { trans } = tools;
  const row = jobRow(job, tools.manager.now(), trans);
  const facts = [
    qpusOf(job),
    sizeOf(job, trans),
    trans.__('by %1', job.owner),
    trans.__('submitted %1', moment(job.submitted_at, tools.manager.now())),
    job.busy_s ? trans.__('ran %1', span(job.busy_s, trans)) : ''
  ];
  return (
    <div className="jp-QPI-JobHead" data-tone={row.tone}>
      <div className="jp-QPI-JobTitle">
        <h1 title={job.id}>{row.title}</h1>
        <span className="jp-QPI-Badge" role="status">
          <span className="jp-QPI-Dot" aria-hidden="true" />
          {row.state}
        </span>
        <CopyId id={job.id} trans={trans} />
      </div>
      <p className="jp-QPI-Detail">{facts.filter(Boolean).join(' · ')}</p>
      <div className="jp-QPI-JobTags">
        {job.tags.map(tag => (
          <span key={tag} className="jp-QPI-Chip" title={tag}>
            {tag}
          </span>
        ))}
        {TEXT_LABELS.filter(name => job[name]).map(name => (
          <span key={name} className="jp-QPI-Chip" title={job[name]}>
            {labelWords(trans)[name].shown(job[name])}
          </span>
        ))}
        {job.shared_with && (
          <span className="jp-QPI-Chip">{trans.__('shared with %1', job.shared_with)}</span>
        )}
      </div>
      <Buttons {...props} />
      {model.editable && <JobForm job={job} model={model} tools={tools} />}
    </div>
  );
}

function Buttons(props: IProps): React.ReactElement {
  const { job, model, tools } = props;
  const { trans } = tools;
  const cancellable = model.editable && isCancellable(job);
  const ended = job.status !== 'pending' && job.status !== 'running';
  const again = async () => {
    const copy = await model.resubmit();
    await tools.commands.execute(CommandIDs.openJob, { id: copy.id });
  };
  const buttons: [boolean, string, () => Promise<void>, string?][] = [
    [cancellable, trans.__('Cancel'), () => cancelJobs(tools, [job]), 'jp-mod-reject'],
    [model.state.sources !== null, trans.__('Submit again'), again],
    [
      job.status === 'completed',
      trans.__('Open a notebook with the result'),
      () => openResult(tools, job)
    ],
    [notebookOf(job) !== null, trans.__('Show the notebook cell'), () => openOrigin(tools, job)],
    [model.editable && ended, trans.__('Delete'), () => deleteJobs(tools, [job]), 'jp-mod-reject']
  ];
  return (
    <div className="jp-QPI-Buttons">
      {buttons
        .filter(([there]) => there)
        .map(([, label, act, style]) => (
          <Act key={label} label={label} act={act} className={style ?? ''} />
        ))}
    </div>
  );
}
