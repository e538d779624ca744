import '../../style/common.css';
import '../../style/queue.css';
import '../../style/outputs.css';

import { Dialog, Notification } from '@jupyterlab/apputils';
import type { Contents } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import { UUID } from '@lumino/coreutils';

import { messageOf } from '../request';
import type { ILabManager } from '../tokens';
import type { JobModel } from '../wire';
import type { ILabSettings } from './settings';
import { type IChoice, previewed, submission } from './submission';
import { SubmitForm } from './submitform';

const SUBMIT = 1;

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
    const source = String(file.content);
    const { defaultQpu } = settings.values;
    const form = new SubmitForm(manager.state.qpus, defaultQpu, previewer(manager, source), trans);
    const send = sender(manager, path, source);
    const dialog = new SubmitDialog(trans.__('Submit %1', file.name), form, send, trans);
    await dialog.launch();
    if (dialog.job) {
      tell(dialog.job, commands, trans);
      await manager.refresh();
    }
  } catch (error) {
    Notification.error(messageOf(error), { autoClose: false });
  }
}

/** Asks what the file would become on the QPU that is chosen. */
function previewer(manager: ILabManager, source: string): (choice: IChoice) => Promise<unknown> {
  return choice => {
    const headers = { 'Content-Type': 'application/json' };
    const body = JSON.stringify(previewed(source, choice));
    const path = `qpus/${encodeURIComponent(choice.qpu)}/preview`;
    return manager.request<unknown>(path, { method: 'POST', headers, body });
  };
}

/** Submits the file; the same choice twice is one job, should the first answer have got lost. */
function sender(
  manager: ILabManager,
  path: string,
  source: string
): (choice: IChoice) => Promise<JobModel> {
  const keys = new Map<string, string>();
  return choice => {
    const body = JSON.stringify(submission(path, source, choice));
    const key = keys.get(body) ?? UUID.uuid4();
    keys.set(body, key);
    const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': key };
    return manager.request<JobModel>('jobs', { method: 'POST', headers, body });
  };
}

function tell(job: JobModel, commands: CommandRegistry, trans: TranslationBundle): void {
  const open = {
    label: trans.__('Open'),
    callback: () => void commands.execute('qpi:open-job', { id: job.id })
  };
  const where = job.qpu ?? trans.__('a QPU');
  Notification.success(trans.__('%1 waits for %2.', job.name || job.id, where), {
    actions: commands.hasCommand('qpi:open-job') ? [open] : [],
    autoClose: 10_000
  });
}

/** Stays until the lab has taken the job: what it says against it is in the dialog. */
class SubmitDialog extends Dialog<IChoice> {
  constructor(
    title: string,
    private readonly _form: SubmitForm,
    private readonly _send: (choice: IChoice) => Promise<JobModel>,
    trans: TranslationBundle
  ) {
    super({
      title,
      body: _form,
      buttons: [Dialog.cancelButton(), Dialog.okButton({ label: trans.__('Submit') })],
      focusNodeSelector: 'select'
    });
  }

  /** What the lab took. */
  job: JobModel | null = null;

  override resolve(index?: number): void {
    if ((index ?? SUBMIT) !== SUBMIT) {
      super.resolve(index);
    } else if (!this._form.busy) {
      void this._submit();
    }
  }

  private async _submit(): Promise<void> {
    this._form.busy = true;
    try {
      this.job = await this._send(this._form.getValue());
      super.resolve(SUBMIT);
    } catch (error) {
      this._form.refuse(error);
    }
  }
}
