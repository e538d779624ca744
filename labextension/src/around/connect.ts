import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { TranslationBundle } from '@jupyterlab/translation';

import { labIcon } from '../icon';
import { takes } from '../takes';
import { CONNECT } from './ids';

/** Add the command that connects this Jupyter server to labs elsewhere. */
export function addConnect(app: JupyterFrontEnd, trans: TranslationBundle): void {
  app.commands.addCommand(CONNECT, {
    label: trans.__('Connect to a Lab…'),
    icon: labIcon,
    describedBy: takes('url'),
    execute: async ({ url }) => {
      const { showLabs } = await import('./labsdialog');
      await showLabs(app.commands, app.serviceManager.serverSettings, trans, String(url ?? ''));
    }
  });
}
