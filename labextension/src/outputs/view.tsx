import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { Message } from '@lumino/messaging';
import * as React from 'react';

import { Act } from '../act';
import { useLab } from '../hooks';
import { hasEnded } from '../jobs';
import { prospectOf, span } from '../prospects';
import { OneOf } from '../queue/drawn';
import { mayEdit } from '../queue/filters';
import { isCancellable, jobState, qpusOf } from '../rows';
import type { ILabManager } from '../tokens';
import type { JobOutput, OutputJob } from '../wire';
import { moment, sizeOf } from '../words';
import { asDrawing } from './drawn';
import type { Follower, IFollowing, ILive } from './follower';
import { type Elsewhere, OtherLab, useWayTo } from './otherlab';
import { isOfThis, shownOf } from './shown';

/** What outputs work with. */
export interface IPage {
  readonly commands: CommandRegistry;
  readonly elsewhere: Elsewhere;
  readonly manager: ILabManager;
  readonly trans: TranslationBundle;
}

const OPEN = 'qpi:open-job';
const NOTHING: ILive = { job: null, drawn: null, growing: null, gone: null };

/** A job in a notebook: what is saved at once, then what the lab says, as long as one can see it. */
export class OutputView extends ReactWidget {
  constructor(
    private _output: JobOutput,
    private readonly _page: IPage,
    private readonly _follower: Follower
  ) {
    super();
    this.addClass('jp-QPI-Output');
  }

  /** Show what the notebook has now. */
  put(output: JobOutput): void {
    const other = output.job.id !== this._output.job.id;
    this._output = output;
    if (other && this._following) {
      this._leave();
      this._follow();
    }
    this._onChanged();
  }

  override dispose(): void {
    this._leave();
    super.dispose();
  }

  protected override onAfterAttach(msg: Message): void {
    super.onAfterAttach(msg);
    this._follow();
  }

  protected override onBeforeDetach(msg: Message): void {
    this._leave();
    super.onBeforeDetach(msg);
  }

  protected override render(): React.ReactElement {
    return (
      <Output
        output={this._output}
        live={this._following?.live ?? NOTHING}
        page={this._page}
        cancel={() => this._cancel()}
      />
    );
  }

  private _follow(): void {
    this._leave();
    this._following = this._follower.follow(this._output.job.id);
    this._following.watched = true;
    this._following.changed.connect(this._onChanged, this);
    this._onChanged();
  }

  private _leave(): void {
    this._following?.dispose();
    this._following = null;
  }

  private _onChanged(): void {
    const job = this._following?.live.job;
    if (this._following && job) {
      this._following.wanted = !isOfThis(this._output, job);
    }
    this.update();
  }

  private async _cancel(): Promise<void> {
    const { id } = this._output.job;
    await this._page.manager.cancel(id);
    this._follower.refresh(id);
  }

  private _following: IFollowing | null = null;
}

function Output(props: {
  output: JobOutput;
  live: ILive;
  page: IPage;
  cancel: () => Promise<void>;
}): React.ReactElement {
  const { cancel, live, output, page } = props;
  const { commands, manager, trans } = page;
  const me = useLab(manager, state => state.me);
  const shown = shownOf(output, live, manager.now());
  const { job } = shown;
  const [state, tone] = jobState(job.phase, trans, job.reason?.rule);
  const known = live.job !== null && live.gone === null;
  const cancellable = live.job !== null && known && isCancellable(live.job);
  const facts = [qpusOf(job), sizeOf(job, trans)];
  const name = job.name || job.id;
  return (
    <section
      aria-label={trans.__('Job %1', name)}
      data-tone={tone}
      data-status={job.status}
      data-job={job.id}
    >
      <header>
        <span className="jp-QPI-Badge" role="status">
          <span className="jp-QPI-Dot" aria-hidden="true" />
          {state}
        </span>
        {job.name && <strong>{job.name}</strong>}
        <span title={job.id}>
          {facts.filter(Boolean).join(' · ')}
          {hasEnded(job)
            ? job.busy_s !== null && ` · ${trans.__('ran %1', span(job.busy_s, trans))}`
            : known && <Since at={job.submitted_at} manager={manager} trans={trans} />}
        </span>
        <span className="jp-QPI-Buttons">
          {known && commands.hasCommand(OPEN) && (
            <button
              type="button"
              className="jp-QPI-Action jp-mod-styled"
              onClick={() => void commands.execute(OPEN, { id: job.id })}
            >
              {trans.__('Open job')}
            </button>
          )}
          {live.job && cancellable && mayEdit(live.job, me) && (
            <Act
              label={trans.__('Cancel')}
              name={trans.__('Cancel job %1', name)}
              act={cancel}
              className="jp-mod-reject"
            />
          )}
        </span>
      </header>
      <Doubt shown={shown} live={live} page={page} />
      <Word job={job} source={output.source} now={manager.now()} trans={trans} />
      <OneOf drawings={shown.drawings.map(asDrawing)} total={shown.total} trans={trans} />
    </section>
  );
}

/** How long the job takes so far. */
function Since(props: {
  at: string;
  manager: ILabManager;
  trans: TranslationBundle;
}): React.ReactElement {
  const { at, manager, trans } = props;
  const [, tick] = React.useReducer((count: number) => count + 1, 0);
  React.useEffect(() => {
    const timer = setInterval(tick, 1000);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.max(0, Math.floor((manager.now() - Date.parse(at)) / 1000));
  return <> · {trans.__('for %1', span(Math.max(seconds, 1), trans))}</>;
}

/** Why what is shown may not be the job's present state. */
function Doubt(props: { shown: JobOutput; live: ILive; page: IPage }): React.ReactElement | null {
  const { live, shown } = props;
  const { manager, trans } = props.page;
  const connection = useLab(manager, state => state.connection);
  const ended = hasEnded(shown.job);
  const at = moment(shown.at, manager.now());
  const words = (): string => {
    if (live.gone === 'deleted') {
      return trans.__('This job was deleted. Shown as of %1.', at);
    }
    if (ended || connection === 'connected' || connection === 'connecting') {
      return '';
    }
    return connection === 'refused'
      ? trans.__('You no longer have access to this lab. Shown as of %1.', at)
      : trans.__(
          'No connection to the lab: trying again. Shown as of %1; the job itself goes on.',
          at
        );
  };
  if (live.gone === 'unknown') {
    return <NotHere lab={shown.lab} at={at} page={props.page} />;
  }
  const said = words();
  return said ? (
    <p role="note" className="jp-QPI-Doubt">
      {said}
    </p>
  ) : null;
}

/** That the lab that is shown does not have the job, and how to get to the one that has. */
function NotHere(props: { lab: string; at: string; page: IPage }): React.ReactElement {
  const { at, lab, page } = props;
  const { trans } = page;
  const way = useWayTo(lab, page.elsewhere);
  const said =
    way.kind === 'none'
      ? trans.__('This lab does not have the job, or you have no access to it. Shown as of %1.', at)
      : way.kind === 'switch'
        ? trans.__('This job is in another lab that this page has shown. Shown as of %1.', at)
        : trans.__(
            'This job is in the lab at %1; this page shows another one. Shown as of %2.',
            lab,
            at
          );
  return (
    <p role="note" className="jp-QPI-Doubt">
      {said} <OtherLab way={way} page={page} />
    </p>
  );
}

/** Why it waits, how far it is, or why it did not end well. */
function Word(props: {
  job: OutputJob;
  source: string | null;
  now: number;
  trans: TranslationBundle;
}): React.ReactElement | null {
  const { job, now, source, trans } = props;
  if (job.error) {
    const { line, column } = job.error.data;
    return (
      <div role={job.status === 'failed' ? 'alert' : undefined}>
        {typeof line === 'number' && (
          <strong>
            {typeof column === 'number'
              ? trans.__('Line %1, column %2:', line, column)
              : trans.__('Line %1:', line)}{' '}
          </strong>
        )}
        {job.error.message}
        {source && typeof line === 'number' && <pre>{named(line, column, source)}</pre>}
      </div>
    );
  }
  const prospect = prospectOf(job, now, trans);
  if (job.status === 'running') {
    const percent = Math.round(100 * job.progress);
    return (
      <p>
        <progress max={100} value={percent} aria-label={trans.__('Progress')} />{' '}
        {[`${percent} %`, ...prospect].join(' · ')}
      </p>
    );
  }
  if (job.status !== 'pending' || !job.reason) {
    return null;
  }
  return <p>{[job.reason.message.replace(/\.$/, ''), ...prospect].filter(Boolean).join(' · ')}</p>;
}

/** The line that an error names, with a mark below its place. */
function named(line: number, column: unknown, source: string): string {
  const head = `${line} | `;
  const known = typeof column === 'number' && column >= 1 && column <= source.length + 1;
  return known ? `${head}${source}\n${' '.repeat(head.length + column - 1)}^` : head + source;
}
