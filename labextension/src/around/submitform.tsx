import type { Dialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type * as React from 'react';

import { messageAt } from '../messageat';
import { type IPreview, readPreview } from '../outputs/preview';
import { PreviewView } from '../outputs/previewview';
import { qpuRow } from '../rows';
import type { QpuModel } from '../wire';
import type { IChoice } from './submission';

const SHOTS = 1000;

/** The fields of the dialog that submits a file, and what the lab said against it. */
export class SubmitForm extends ReactWidget implements Dialog.IBodyWidget<IChoice> {
  constructor(
    private readonly _qpus: readonly QpuModel[],
    qpu: string,
    private readonly _preview: (choice: IChoice) => Promise<unknown>,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-QPI-Submit');
    const known = _qpus.some(one => one.name === qpu);
    this._choice = { qpu: known ? qpu : '', shots: SHOTS };
  }

  /** Whether the lab is being asked. */
  get busy(): boolean {
    return this._busy;
  }

  set busy(busy: boolean) {
    this._busy = busy;
    this._doing = this._trans.__('The lab checks the program…');
    this._problem = '';
    this.update();
  }

  /** Show why the lab did not take it. */
  refuse(error: unknown): void {
    this._busy = false;
    this._problem = messageAt(error, labelsOf(this._trans));
    this.update();
  }

  getValue(): IChoice {
    return this._choice;
  }

  protected override render(): React.ReactElement {
    const trans = this._trans;
    return (
      <>
        <label>
          {labelsOf(trans).qpu}
          <select
            className="jp-mod-styled"
            defaultValue={this._choice.qpu}
            onChange={event => this._take({ qpu: event.target.value })}
          >
            <option value="">{trans.__('Any suitable simulator')}</option>
            {this._qpus.map(qpu => {
              const { state, detail } = qpuRow(qpu, Date.now(), trans);
              return (
                <option key={qpu.name} value={qpu.name}>
                  {`${qpu.name} (${state} · ${detail})`}
                </option>
              );
            })}
          </select>
        </label>
        <label>
          {labelsOf(trans).shots}
          <input
            className="jp-mod-styled"
            type="number"
            min={1}
            step={1}
            defaultValue={SHOTS}
            onChange={event => this._take({ shots: event.target.valueAsNumber || SHOTS })}
          />
        </label>
        <button
          type="button"
          className="jp-QPI-Action jp-mod-styled"
          aria-disabled={this._busy || this._choice.qpu === ''}
          title={
            this._choice.qpu === ''
              ? trans.__('Choose a QPU to preview the program on it')
              : trans.__('See the native circuit, its pulses and its cost; nothing runs')
          }
          onClick={() => void this._look()}
        >
          {trans.__('Preview')}
        </button>
        <div className="jp-QPI-SubmitSaid">
          <div role="status">{this._busy && this._doing}</div>
          <div role="alert">{this._problem}</div>
        </div>
        {this._shown && <PreviewView preview={this._shown} trans={trans} />}
      </>
    );
  }

  /** Another choice makes another job: what was previewed is not it. */
  private _take(changes: Partial<IChoice>): void {
    this._choice = { ...this._choice, ...changes };
    this._shown = null;
    this.update();
  }

  private async _look(): Promise<void> {
    if (this._busy || this._choice.qpu === '') {
      return;
    }
    this.busy = true;
    this._doing = this._trans.__('The QPU’s driver compiles the program…');
    this._shown = null;
    const choice = this._choice;
    try {
      const shown = readPreview(await this._preview(choice));
      this.busy = false;
      if (choice === this._choice) {
        this._shown = shown;
        this.toggleClass('jp-mod-previewed', shown !== null);
      }
      this.update();
    } catch (error) {
      this.refuse(error);
    }
  }

  private _busy = false;
  private _choice: IChoice;
  private _doing = '';
  private _problem = '';
  private _shown: IPreview | null = null;
}

/** What the fields are called, by their names in the lab's answers. */
function labelsOf(trans: TranslationBundle) {
  return { qpu: trans.__('QPU'), shots: trans.__('Shots') };
}
