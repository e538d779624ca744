import { Notification } from '@jupyterlab/apputils';

import { messageOf } from '../request';

/** Say what went wrong in JupyterLab's own way, in the words of whoever refused. */
export async function told<T>(task: Promise<T>): Promise<T | undefined> {
  try {
    return await task;
  } catch (error) {
    Notification.error(messageOf(error));
    return undefined;
  }
}

/** Let the browser save it. */
export function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
