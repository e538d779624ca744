import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { labIcon } from '../icon';
import { labFile } from '../request';
import { ILabManager } from '../tokens';

const OPEN = 'qpi:open-account';
const ID = 'qpi-account';

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
    const tracker = new WidgetTracker<MainAreaWidget>({ namespace: ID });
    const settings = app.serviceManager.serverSettings;
    app.commands.addCommand(OPEN, {
      label: trans.__('My Account'),
      caption: trans.__('My QPU time, my API tokens, my profile'),
      icon: labIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: async () => {
        const { AccountView } = await import('./view');
        let tab = tracker.find(() => true);
        if (!tab) {
          const content = new AccountView({
            manager,
            trans,
            commands: app.commands,
            file: labFile(settings),
            address: settings.baseUrl
          });
          tab = new MainAreaWidget({ content });
          tab.id = ID;
          tab.title.label = trans.__('My account');
          tab.title.icon = labIcon;
          tab.title.closable = true;
          app.shell.add(tab, 'main', { type: 'QPI' });
          void tracker.add(tab);
        }
        app.shell.activateById(ID);
        return tab;
      }
    });
    palette?.addItem({ command: OPEN, category: trans.__('Quantum lab') });
    void restorer?.restore(tracker, { command: OPEN, name: () => ID });
  }
};
