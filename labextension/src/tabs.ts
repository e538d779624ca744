import { type JupyterFrontEnd, LabShell } from '@jupyterlab/application';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { tabAddress } from './links';

/** Whether tabs can be opened here: Jupyter Notebook's pages hold one document each. */
export function hasTabs(app: JupyterFrontEnd): boolean {
  return app.shell instanceof LabShell;
}

/** Add a command that opens a tab of the lab; where there are no tabs, it opens JupyterLab with that tab. */
export function addTabCommand(
  app: JupyterFrontEnd,
  command: string,
  options: CommandRegistry.ICommandOptions
): void {
  const execute = (args: ReadonlyPartialJSONObject) => {
    window.open(tabAddress(command, args), '_blank');
  };
  app.commands.addCommand(command, hasTabs(app) ? options : { ...options, execute });
}
