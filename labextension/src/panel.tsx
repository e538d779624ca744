import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import type * as React from 'react';

import { type IRow, jobRow, qpuRow } from './rows';
import type { ILabManager, ILabState } from './tokens';

/** The side panel: the lab's QPUs and my jobs. */
export class LabPanel extends ReactWidget {
  constructor(
    private readonly _manager: ILabManager,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-QPI-Panel');
    this.node.tabIndex = 0; // so that the arrow keys scroll it
  }

  protected override onActivateRequest(): void {
    this.node.focus();
  }

  protected override render(): React.ReactElement {
    return (
      <UseSignal signal={this._manager.changed} initialArgs={this._manager.state}>
        {(_, state) => this._view(state ?? this._manager.state)}
      </UseSignal>
    );
  }

  private _view(state: ILabState): React.ReactElement {
    const trans = this._trans;
    const known = state.connection === 'connected';
    return (
      <>
        <ConnectionNote state={state} trans={trans} onRetry={() => void this._manager.refresh()} />
        <Section title={trans.__('QPUs')} rows={state.qpus.map(qpu => qpuRow(qpu, trans))}>
          {known && trans.__('No QPU is registered yet.')}
        </Section>
        <Section
          title={trans.__('My jobs')}
          rows={state.jobs.map(job => jobRow(job, trans))}
          action={row => this._cancelButton(row)}
        >
          {known && trans.__('No jobs yet. Submit one from a notebook with %%qpi_submit.')}
        </Section>
      </>
    );
  }

  private _cancelButton(row: IRow & { readonly cancellable?: boolean }): React.ReactNode {
    const trans = this._trans;
    return row.cancellable ? (
      <button
        type="button"
        className="jp-QPI-Action jp-mod-styled jp-mod-reject"
        aria-label={trans.__('Cancel job %1', row.title)}
        onClick={() => void this._cancel(row.key)}
      >
        {trans.__('Cancel')}
      </button>
    ) : null;
  }

  private async _cancel(jobId: string): Promise<void> {
    try {
      await this._manager.cancel(jobId);
    } catch (error) {
      Notification.error(error instanceof Error ? error.message : String(error));
    }
  }
}

/** Says that what is shown may be old, and why; nothing while all is well. */
function ConnectionNote(props: {
  state: ILabState;
  trans: TranslationBundle;
  onRetry: () => void;
}): React.ReactElement {
  const { state, trans } = props;
  return (
    <div role="status" className="jp-QPI-Connection" data-connection={state.connection}>
      {state.connection === 'connecting' && trans.__('Looking for the lab…')}
      {state.connection === 'lost' && (
        <>
          <strong>{trans.__('Connection lost.')}</strong> {trans.__('What is shown may be old.')}
          {state.problem && <div className="jp-QPI-Detail">{state.problem}</div>}
          <button type="button" className="jp-QPI-Action jp-mod-styled" onClick={props.onRetry}>
            {trans.__('Try again')}
          </button>
        </>
      )}
    </div>
  );
}

function Section<R extends IRow>(props: {
  title: string;
  rows: readonly R[];
  action?: (row: R) => React.ReactNode;
  /** What stands there when there are no rows. */
  children: React.ReactNode;
}): React.ReactElement {
  return (
    <section className="jp-QPI-Section" aria-label={props.title}>
      <h2 className="jp-QPI-Heading">{props.title}</h2>
      {props.rows.length === 0 && props.children && (
        <p className="jp-QPI-Empty">{props.children}</p>
      )}
      <ul className="jp-QPI-List">
        {props.rows.map(row => (
          <li className="jp-QPI-Row" key={row.key} data-key={row.key} data-tone={row.tone}>
            <div className="jp-QPI-RowHead">
              <span className="jp-QPI-Title" title={row.title}>
                {row.title}
              </span>
              <span className="jp-QPI-State">{row.state}</span>
            </div>
            {row.detail && <div className="jp-QPI-Detail">{row.detail}</div>}
            {props.action?.(row)}
          </li>
        ))}
      </ul>
    </section>
  );
}
