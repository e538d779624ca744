import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { addTab } from '../tabs';
import { ILabManager } from '../tokens';

export const calendarPlugin: JupyterFrontEndPlugin<void> = {
  id: 'qpi-jupyter:calendar',
  description: 'The calendar tab: who has which QPU when.',
  autoStart: true,
  requires: [ILabManager],
  optional: [ITranslator, ICommandPalette, ILayoutRestorer, IStateDB],
  activate: (
    app: JupyterFrontEnd,
    manager: ILabManager,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    stateDB: IStateDB | null
  ) => {
    const trans = (translator ?? nullTranslator).load('qpi-jupyter');
    addTab(
      { app, trans, palette, restorer },
      {
        command: 'qpi:open-calendar',
        label: trans.__('Calendar'),
        caption: trans.__('See and book the time of the QPUs'),
        title: () => trans.__('QPU calendar'),
        make: async () => {
          const { CalendarTab } = await import('./view');
          return CalendarTab.load(manager, stateDB, trans);
        }
      }
    );
  }
};
