import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin,
  LabShell
} from '@jupyterlab/application';
import { ICommandPalette, MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { IMainMenu } from '@jupyterlab/mainmenu';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { RankedMenu } from '@jupyterlab/ui-components';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { PREFIX, tabAddress } from '../address';
import { labIcon } from '../icon';
import { type ITab, ITabs } from '../tokens';
import { OPEN_PANEL, PANEL_ID } from './ids';
import { ILabSettings } from './settings';
import { Ways } from './ways';

/** After Tabs, before Help. */
const MENU_RANK = 700;

export const tabsPlugin: JupyterFrontEndPlugin<ITabs> = {
  id: 'qpi-jupyter:tabs',
  description: 'The tabs, and the ways to them: the menu, the launcher and the command palette.',
  autoStart: true,
  provides: ITabs,
  requires: [ILabSettings],
  optional: [ICommandPalette, IMainMenu, ILauncher, ILayoutRestorer, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    settings: ILabSettings,
    palette: ICommandPalette | null,
    mainMenu: IMainMenu | null,
    launcher: ILauncher | null,
    restorer: ILayoutRestorer | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('qpi-jupyter');
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
      describedBy: { args: { type: 'object', properties: {} } },
      execute: async () => {
        // The command palette gives the focus back to the tab behind it once a command has begun: only after that.
        await Promise.resolve();
        app.shell.activateById(PANEL_ID);
      }
    });
    ways.find(OPEN_PANEL);
    ways.offer(OPEN_PANEL, 0);
    return {
      add: tab => {
        addTab(app, restorer, tab);
        ways.find(PREFIX + tab.name);
        if (!tab.argument) {
          ways.offer(PREFIX + tab.name, tab.rank);
        }
      }
    };
  }
};

/** Whether tabs can be opened here: Jupyter Notebook's pages hold one document each. */
function hasTabs(app: JupyterFrontEnd): boolean {
  return app.shell instanceof LabShell;
}

/** Add the command that opens a tab, brings it to the front where it is open, and opens it again after a reload. */
function addTab(app: JupyterFrontEnd, restorer: ILayoutRestorer | null, tab: ITab): void {
  const { argument = '', icon, name } = tab;
  const command = PREFIX + name;
  const kind = `qpi-${name}`;
  const tracker = new WidgetTracker<MainAreaWidget>({ namespace: kind });
  const opening = new Map<string, Promise<MainAreaWidget | null>>();

  const made = async (id: string, value: string): Promise<MainAreaWidget | null> => {
    const content = await tab.make(value);
    if (content === null) {
      return null;
    }
    const widget = new MainAreaWidget({ content });
    widget.id = id;
    widget.title.label = tab.title(value);
    widget.title.icon = icon;
    widget.title.closable = true;
    widget.toolbar.hide(); // nothing is in it
    app.shell.add(widget, 'main', { type: 'QPI' });
    await tracker.add(widget);
    return widget;
  };
  const open = async (args: ReadonlyPartialJSONObject): Promise<MainAreaWidget | null> => {
    const value = String(args[argument] ?? '') || ((await tab.ask?.()) ?? '');
    if (argument && !value) {
      return null;
    }
    const id = argument ? `${kind}-${value}` : kind;
    let widget = tracker.find(known => known.id === id) ?? null;
    if (!widget) {
      // Who asks twice before it is there gets one
      const pending = opening.get(id) ?? made(id, value).finally(() => opening.delete(id));
      opening.set(id, pending);
      widget = await pending;
    }
    if (widget) {
      app.shell.activateById(id);
    }
    return widget;
  };
  const elsewhere = (args: ReadonlyPartialJSONObject) => {
    window.open(tabAddress(command, args), '_blank');
  };

  app.commands.addCommand(command, {
    label: tab.label,
    icon,
    ...(tab.caption !== undefined && { caption: tab.caption }),
    ...(tab.isVisible && { isVisible: tab.isVisible }),
    describedBy: {
      args: { type: 'object', properties: argument ? { [argument]: { type: 'string' } } : {} }
    },
    execute: hasTabs(app) ? open : elsewhere
  });
  restorer
    ?.restore(tracker, {
      command,
      args: ({ id }) => (argument ? { [argument]: id.slice(kind.length + 1) } : {}),
      name: ({ id }) => id
    })
    .catch(() => undefined); // added after the start: there is no layout to restore any more
}
