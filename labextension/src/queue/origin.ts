import { Notification } from '@jupyterlab/apputils';
import { PageConfig } from '@jupyterlab/coreutils';
import type { IDocumentWidget } from '@jupyterlab/docregistry';
import { ServerConnection } from '@jupyterlab/services';

import type { JobModel } from '../wire';
import { candidates, notebookOf } from './notebooks';
import { told } from './told';
import type { ITools } from './tools';

/** Open the notebook that the job came from, at its cell; or say that it is there no more. */
export async function openOrigin(tools: ITools, job: JobModel): Promise<void> {
  const path = notebookOf(job);
  const there = path === null ? null : await told(find(tools, path));
  if (!there) {
    if (there === null && path !== null) {
      Notification.warning(gone(tools, path), { autoClose: false });
    }
    return;
  }
  const open = tools.commands.execute('docmanager:open', { path: there, factory: 'Notebook' });
  const panel = (await told(open)) as IDocumentWidget | undefined;
  const cell = job.origin.cell_id;
  if (panel && typeof cell === 'string') {
    await panel.context.ready;
    if (hasCell(panel, cell)) {
      panel.setFragment(`#cell-id=${encodeURIComponent(cell)}`);
    } else {
      const { trans } = tools;
      const what = trans.__('%1 no longer has the cell that submitted the job.', there);
      Notification.warning(what, { autoClose: 10_000 });
    }
  }
}

/** What the contents call the file that a kernel called `path`; null where there is none. */
async function find({ services }: ITools, path: string): Promise<string | null> {
  for (const candidate of candidates(path, PageConfig.getOption('serverRoot'))) {
    try {
      return (await services.contents.get(candidate, { content: false })).path;
    } catch (error) {
      if (!(error instanceof ServerConnection.ResponseError) || error.response.status !== 404) {
        throw error;
      }
    }
  }
  return null;
}

function gone({ trans }: ITools, path: string): string {
  return trans.__(
    'Cannot find %1: it was renamed, moved or deleted after the job was submitted. The job keeps its program and result.',
    path
  );
}

function hasCell(panel: IDocumentWidget, id: string): boolean {
  const model: unknown = panel.context.model.toJSON();
  const { cells } = (model ?? {}) as { cells?: readonly { id?: string }[] };
  return cells?.some(cell => cell.id === id) ?? false;
}
