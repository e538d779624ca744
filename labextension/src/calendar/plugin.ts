import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { labIcon } from '../icon';
import { addTabCommand } from '../tabs';
import { ILabManager } from '../tokens';

const OPEN = 'qpi:open-calendar';
const ID = 'qpi-calendar';

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
    const tracker = new WidgetTracker<MainAreaWidget>({ namespace: ID });
    addTabCommand(app, OPEN, {
      label: trans.__('Calendar'),
      caption: trans.__('See and book the time of the QPUs'),
      icon: labIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: async () => {
        // FullCalendar is loaded with the first calendar that is opened.
        const { CalendarTab } = await import('./view');
        const content = await CalendarTab.load(manager, stateDB, trans);
        // Found again behind the waiting: two who open it at once share one.
        const open = tracker.find(() => true);
        const tab = open ?? new MainAreaWidget({ content });
        if (open) {
          content.dispose();
        } else {
          tab.id = ID;
          tab.title.label = trans.__('QPU calendar');
          tab.title.caption = trans.__('Who has which QPU when');
          tab.title.icon = labIcon;
          app.shell.add(tab, 'main');
          void tracker.add(tab);
        }
        app.shell.activateById(tab.id);
        return tab;
      }
    });
    palette?.addItem({ command: OPEN, category: trans.__('Quantum lab') });
    void restorer?.restore(tracker, { command: OPEN, name: () => ID });
  }
};
