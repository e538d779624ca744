import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { addTab } from '../tabs';
import { ILabManager } from '../tokens';
import { Rights } from './rights';

const OPEN = 'qpi:open-admin';

export const adminPlugin: JupyterFrontEndPlugin<void> = {
  id: 'qpi-jupyter:admin',
  description: 'The administration of the lab, for those who may manage it.',
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
    const rights = new Rights(manager);
    addTab(
      { app, trans, palette, restorer },
      {
        command: OPEN,
        label: trans.__('Lab Administration'),
        caption: trans.__('Manage QPUs, drivers, people, QPU time and notices'),
        isVisible: () => rights.sections.length > 0,
        title: () => trans.__('Administration'),
        make: async () => {
          await rights.known;
          if (rights.sections.length === 0) {
            return null;
          }
          const { AdminView } = await import('./view');
          return new AdminView(manager, rights, trans);
        }
      }
    );
    rights.changed.connect(() => app.commands.notifyCommandChanged(OPEN));
  }
};
