import { ILayoutRestorer, type JupyterFrontEnd, LabShell } from '@jupyterlab/application';
import { ICommandPalette, type MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { IMainMenu } from '@jupyterlab/mainmenu';
import { RankedMenu } from '@jupyterlab/ui-components';

import { PREFIX, tabAddress } from '../address';
import { labIcon } from '../icon';
import { labPlugin } from '../labplugin';
import { takes } from '../takes';
import { type ITab, ITabs } from '../tokens';
import { addConnect } from './connect';
import { CONNECT, OPEN_PANEL, PANEL_ID } from './ids';
import { ILabSettings } from './settings';
import { Ways } from './ways';

/** After Tabs, before Help. */
const MENU_RANK = 700;
/** After the tabs. */
const CONNECT_RANK = 1000;

export const tabsPlugin = labPlugin(
  'tabs',
  'The tabs of the lab.',
  [ILabSettings],
  [ICommandPalette, IMainMenu, ILauncher, ILayoutRestorer],
  (app, trans, settings, palette, mainMenu, launcher, restorer) => {
    const { commands } = app;
    const menu = new RankedMenu({ commands });
    const title = () => settings.values.labName || trans.__('Quantum');
    menu.id = 'jp-mainmenu-qpi';
    menu.title.label = title();
    settings.changed.connect(() => {
      menu.title.label = title();
    });
    mainMenu?.addMenu(menu, true, { rank: MENU_RANK });
    const name = trans.__('Quantum lab');
    const ways = new Ways({ commands, palette, menu, launcher, settings, name });

    commands.addCommand(OPEN_PANEL, {
      label: trans.__('Quantum Lab Panel'),
      caption: trans.__('Show the QPUs and my jobs'),
      icon: labIcon,
      describedBy: takes(),
      execute: async () => {
        // The command palette gives the focus back to the tab behind it once a command has begun: only after that.
        await Promise.resolve();
        app.shell.activateById(PANEL_ID);
      }
    });
    ways.add(OPEN_PANEL, 0);
    addConnect(app, trans);
    ways.add(CONNECT);
    menu.addItem({ command: CONNECT, rank: CONNECT_RANK });
    return {
      add: tab => {
        addTab(app, restorer, tab);
        ways.add(PREFIX + tab.name, tab.rank);
      }
    };
  },
  ITabs
);

/** Whether tabs can be opened here: Jupyter Notebook's pages hold one document each. */
function hasTabs(app: JupyterFrontEnd): boolean {
  return app.shell instanceof LabShell;
}

/** Add the command that opens a tab, and opens it again after a reload. */
function addTab(app: JupyterFrontEnd, restorer: ILayoutRestorer | null, tab: ITab): void {
  const { argument = '', ask, make, name, title, ...shown } = tab;
  const command = PREFIX + name;
  const kind = `qpi-${name}`;
  const tracker = new WidgetTracker<MainAreaWidget>({ namespace: kind });
  app.commands.addCommand(command, {
    ...shown,
    describedBy: argument ? takes(argument) : takes(),
    execute: async args => {
      if (!hasTabs(app)) {
        window.open(tabAddress(command, args), '_blank');
        return null;
      }
      const { openTab } = await import('./opening');
      return openTab(app.shell, tracker, tab, args);
    }
  });
  restorer
    ?.restore(tracker, {
      command,
      args: ({ id }) => (argument ? { [argument]: id.slice(kind.length + 1) } : {}),
      name: ({ id }) => id
    })
    .catch(() => undefined); // added after the start: there is no layout to restore any more
}
