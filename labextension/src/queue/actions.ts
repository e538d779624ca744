import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { IDocumentWidget } from '@jupyterlab/docregistry';

import type { JobModel } from '../wire';
import { GRACE } from './bin';
import type { ITools } from './tools';

/** Say what went wrong in JupyterLab's own way, in the words of whoever refused. */
export async function told<T>(task: Promise<T>): Promise<T | undefined> {
  try {
    return await task;
  } catch (error) {
    Notification.error(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

/** Cancel a job, if the person means it. */
export async function cancelJob(tools: ITools, job: JobModel): Promise<void> {
  const { trans } = tools;
  const answer = await showDialog({
    title: trans.__('Cancel the job?'),
    body: trans.__('“%1” stops. A result that is already measured is kept.', job.name || job.id),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Let it run') }),
      Dialog.warnButton({ label: trans.__('Cancel job') })
    ]
  });
  if (answer.button.accept) {
    await told(tools.manager.cancel(job.id));
  }
}

/** Delete a job; for a few seconds that can be undone. */
export async function deleteJob(tools: ITools, job: JobModel): Promise<void> {
  const { bin, trans } = tools;
  const message = trans.__('“%1” is deleted, with its program and its data.', job.name || job.id);
  const undo = { label: trans.__('Undo'), callback: () => bin.undo(job.id) };
  const note = Notification.info(message, { autoClose: GRACE, actions: [undo] });
  await told(bin.put(job.id));
  Notification.dismiss(note);
}

/** Open the notebook that the job came from, at its cell. */
export async function openOrigin(tools: ITools, job: JobModel): Promise<void> {
  const path = notebookOf(job);
  if (path === null) {
    return;
  }
  const open = tools.commands.execute('docmanager:open', { path, factory: 'Notebook' });
  const panel = (await told(open)) as IDocumentWidget | undefined;
  const cell = job.origin.cell_id;
  if (panel && typeof cell === 'string') {
    await panel.context.ready;
    panel.setFragment(`#cell-id=${encodeURIComponent(cell)}`);
  }
}

/** The path of the notebook that the job came from; null where it came from none. */
export function notebookOf(job: JobModel): string | null {
  const path = job.origin.notebook;
  return typeof path === 'string' && path ? path : null;
}

/** Open a notebook that loads the job's data; it is made at the first time. */
export async function openResult(tools: ITools, job: JobModel): Promise<void> {
  const { contents, kernelspecs } = tools.services;
  const path = `${job.id}.ipynb`;
  const folder = await told(contents.get('', { content: true }));
  if (!folder) {
    return;
  }
  const there = (folder.content as { name: string }[]).some(file => file.name === path);
  if (!there) {
    await kernelspecs.ready;
    const content = resultNotebook(job, kernelspecs.specs?.default ?? 'python3');
    if (!(await told(contents.save(path, { type: 'notebook', format: 'json', content })))) {
      return;
    }
  }
  await told(tools.commands.execute('docmanager:open', { path, factory: 'Notebook' }));
}

/** A notebook as JSON with a cell that loads the job's data. */
export function resultNotebook(job: JobModel, kernel: string): object {
  const source = [
    'import qpi_jupyter',
    '',
    `job = qpi_jupyter.job(${JSON.stringify(job.id)})`,
    'ds = job.dataset()',
    'ds'
  ].join('\n');
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: { kernelspec: { name: kernel, display_name: kernel } },
    cells: [
      {
        cell_type: 'code',
        id: 'load-result',
        metadata: {},
        execution_count: null,
        outputs: [],
        source
      }
    ]
  };
}

/** Let the browser save it. */
export function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
