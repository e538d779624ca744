import { ReactWidget } from '@jupyterlab/ui-components';
import type * as React from 'react';

import { handFocus, keepFocus } from '../focus';
import { FilterBar } from './filterbar';
import { useSignalFrame } from './frame';
import type { QueueModel } from './model';
import { JobTable } from './table';
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
  useSignalFrame(model.changed);
  return (
    <>
      <FilterBar model={model} tools={tools} />
      <JobTable model={model} tools={tools} />
      <Footer model={model} tools={tools} />
    </>
  );
}

/** How much is here, and why not more. */
function Footer(props: { model: QueueModel; tools: ITools }): React.ReactElement {
  const { model } = props;
  const { trans } = props.tools;
  const here = model.length.toLocaleString();
  return (
    <div className="jp-QPI-QueueFooter">
      <span role="status">
        {model.total !== null && trans.__('%1 jobs, newest first', model.total.toLocaleString())}
        {model.total === null && model.complete && trans.__('%1 jobs, newest first', here)}
        {model.total === null && !model.complete && trans.__('%1 jobs so far, newest first', here)}
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
      <span className="jp-QPI-Hint">
        {trans.__('↑ ↓ choose, Enter opens, Delete cancels or deletes')}
      </span>
    </div>
  );
}
