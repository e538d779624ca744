import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type * as React from 'react';

import { eta, place, span } from '../queue/words';
import { jobState } from '../rows';
import type { ILabManager } from '../tokens';
import type { JobOutput, OutputJob } from '../wire';
import { Pictures } from './pictures';

/** What outputs work with. */
export interface IPage {
  readonly commands: CommandRegistry;
  readonly manager: ILabManager;
  readonly trans: TranslationBundle;
}

const OPEN = 'qpi:open-job';

/** A job in a notebook. */
export class OutputView extends ReactWidget {
  constructor(
    private _output: JobOutput,
    private readonly _page: IPage
  ) {
    super();
    this.addClass('jp-QPI-Output');
  }

  put(output: JobOutput): void {
    this._output = output;
    this.update();
  }

  protected override render(): React.ReactElement {
    return <Output output={this._output} page={this._page} />;
  }
}

function Output(props: { output: JobOutput; page: IPage }): React.ReactElement {
  const { output, page } = props;
  const { job } = output;
  const { commands, manager, trans } = page;
  const [state, tone] = jobState(job.phase, trans);
  const facts = [
    job.qpu ?? '',
    trans._n('%1 circuit', '%1 circuits', job.num_circuits),
    trans._n('%1 shot', '%1 shots', job.shots),
    job.busy_s ? trans.__('ran %1', span(job.busy_s, trans)) : ''
  ];
  return (
    <section aria-label={trans.__('Job %1', job.name || job.id)} data-tone={tone} data-job={job.id}>
      <header>
        <span className="jp-QPI-Badge" role="status">
          <span className="jp-QPI-Dot" aria-hidden="true" />
          {state}
        </span>
        {job.name && <strong>{job.name}</strong>}
        <span title={job.id}>{facts.filter(Boolean).join(' · ')}</span>
        {commands.hasCommand(OPEN) && (
          <button
            type="button"
            className="jp-QPI-Action jp-mod-styled"
            onClick={() => void commands.execute(OPEN, { id: job.id })}
          >
            {trans.__('Open job')}
          </button>
        )}
      </header>
      <Word job={job} source={output.source} now={manager.now()} trans={trans} />
      <Pictures output={output} trans={trans} />
    </section>
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
      <div role="alert">
        {typeof line === 'number' && (
          <strong>
            {typeof column === 'number'
              ? trans.__('Line %1, column %2:', line, column)
              : trans.__('Line %1:', line)}{' '}
          </strong>
        )}
        {job.error.message}
        {source && <pre>{`${line} | ${source}`}</pre>}
      </div>
    );
  }
  if (job.status === 'running') {
    const percent = Math.round(100 * job.progress);
    return (
      <p>
        <progress max={100} value={percent} aria-label={trans.__('Progress')} /> {percent} %
      </p>
    );
  }
  if (job.status !== 'pending' || !job.reason) {
    return null;
  }
  const { reason } = job;
  return (
    <p>
      {[reason.message, place(reason, trans), eta(reason, now, trans)].filter(Boolean).join(' · ')}
    </p>
  );
}
