import { PageConfig, URLExt } from '@jupyterlab/coreutils';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

/** How the commands that open tabs begin. */
export const PREFIX = 'qpi:open-';

/** Where JupyterLab opens with the tab of a command. */
export function tabAddress(command: string, args: ReadonlyPartialJSONObject): string {
  const query = new URLSearchParams({ qpi: command.slice(PREFIX.length) });
  for (const [name, value] of Object.entries(args)) {
    query.set(name, String(value));
  }
  return `${URLExt.join(PageConfig.getBaseUrl(), 'lab')}?${query}`;
}
