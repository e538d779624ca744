import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { labFile } from '../request';
import { addTab } from '../tabs';
import { ILabManager } from '../tokens';

export const accountPlugin: JupyterFrontEndPlugin<void> = {
  id: 'qpi-jupyter:account',
  description: 'My account: my QPU time and where it went, my API tokens, my profile.',
  autoStart: true,
  requires: [ILabManager],
  optional: [ITranslator, ICommandPalette, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    manager: ILabManager,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null
  ) => {
    const trans = (translator ?? nullTranslator).load('qpi-jupyter');
    const settings = app.serviceManager.serverSettings;
    addTab(
      { app, trans, palette, restorer },
      {
        command: 'qpi:open-account',
        label: trans.__('My Account'),
        caption: trans.__('My QPU time, my API tokens, my profile'),
        title: () => trans.__('My account'),
        make: async () => {
          const { AccountView } = await import('./view');
          const { commands } = app;
          const file = labFile(settings);
          return new AccountView({ manager, trans, commands, file, address: settings.baseUrl });
        }
      }
    );
  }
};
