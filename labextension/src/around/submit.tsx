import { Dialog, Notification, ReactWidget, showDialog } from '@jupyterlab/apputils';
import type { Contents } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import { UUID } from '@lumino/coreutils';
import type * as React from 'react';

import { messageOf } from '../request';
import { qpuRow } from '../rows';
import type { ILabManager } from '../tokens';
import type { JobModel, QpuModel } from '../wire';
import type { ILabSettings } from './settings';
import { type IChoice, submission } from './submission';

const SHOTS = 1000;

export interface ISubmitOptions {
  readonly path: string;
  readonly commands: CommandRegistry;
  readonly contents: Contents.IManager;
  readonly manager: ILabManager;
  readonly settings: ILabSettings;
  readonly trans: TranslationBundle;
}

/** Ask where to run a file, submit it, and say what became of that. */
export async function submitFile(options: ISubmitOptions): Promise<void> {
  const { commands, contents, manager, path, settings, trans } = options;
  try {
    const file = await contents.get(path, { content: true, format: 'text', type: 'file' });
    const answer = await showDialog<IChoice>({
      title: trans.__('Submit %1', file.name),
      body: new SubmitForm(manager.state.qpus, settings.values.defaultQpu, trans),
      buttons: [Dialog.cancelButton(), Dialog.okButton({ label: trans.__('Submit') })],
      focusNodeSelector: 'select'
    });
    if (!answer.button.accept || !answer.value) {
      return;
    }
    const job = await manager.request<JobModel>('jobs', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': UUID.uuid4() },
      body: JSON.stringify(submission(path, String(file.content), answer.value))
    });
    const openable = commands.hasCommand('qpi:open-job');
    const open = {
      label: trans.__('Open'),
      callback: () => void commands.execute('qpi:open-job', { id: job.id })
    };
    const where = job.qpu ?? trans.__('a QPU');
    Notification.success(trans.__('%1 waits for %2.', job.name || job.id, where), {
      actions: openable ? [open] : [],
      autoClose: 10_000
    });
    await manager.refresh();
  } catch (error) {
    Notification.error(messageOf(error), { autoClose: false });
  }
}

/** The dialog's fields. */
class SubmitForm extends ReactWidget implements Dialog.IBodyWidget<IChoice> {
  constructor(
    private readonly _qpus: readonly QpuModel[],
    qpu: string,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-QPI-Submit');
    const known = _qpus.some(one => one.name === qpu);
    this._choice = { qpu: known ? qpu : '', shots: SHOTS };
  }

  getValue(): IChoice {
    return this._choice;
  }

  protected override render(): React.ReactElement {
    const trans = this._trans;
    return (
      <>
        <label>
          {trans.__('QPU')}
          <select
            className="jp-mod-styled"
            defaultValue={this._choice.qpu}
            onChange={event => this._take({ qpu: event.target.value })}
          >
            <option value="">{trans.__('Whichever simulator fits')}</option>
            {this._qpus.map(qpu => {
              const { state, detail } = qpuRow(qpu, trans);
              return (
                <option key={qpu.name} value={qpu.name}>
                  {`${qpu.name} (${state} · ${detail})`}
                </option>
              );
            })}
          </select>
        </label>
        <label>
          {trans.__('Shots')}
          <input
            className="jp-mod-styled"
            type="number"
            min={1}
            step={1}
            defaultValue={SHOTS}
            onChange={event => this._take({ shots: event.target.valueAsNumber || SHOTS })}
          />
        </label>
      </>
    );
  }

  private _take(changes: Partial<IChoice>): void {
    this._choice = { ...this._choice, ...changes };
  }

  private _choice: IChoice;
}
