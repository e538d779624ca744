import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { IMainMenu } from '@jupyterlab/mainmenu';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Menu } from '@lumino/widgets';

import { labIcon } from '../icon';
import { OPEN_PANEL, PANEL_ID, TABS } from './ids';
import { ILabSettings } from './settings';

/** After Tabs, before Help. */
const MENU_RANK = 700;

export const waysPlugin: JupyterFrontEndPlugin<void> = {
  id: 'qpi-jupyter:ways',
  description: 'The ways to the lab: the menu, the launcher and the command palette.',
  autoStart: true,
  requires: [ILabSettings],
  optional: [ICommandPalette, IMainMenu, ILauncher, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    settings: ILabSettings,
    palette: ICommandPalette | null,
    mainMenu: IMainMenu | null,
    launcher: ILauncher | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('qpi-jupyter');
    const { commands } = app;
    const name = trans.__('Quantum lab');
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
    palette?.addItem({ command: OPEN_PANEL, category: name });
    // The tabs bring their own commands: by then, all that there are
    void app.restored.then(() => {
      const known = [OPEN_PANEL, ...TABS].filter(command => commands.hasCommand(command));
      if (launcher) {
        const category = () => settings.values.labName || name;
        keepCards(commands, launcher, known, category, settings.changed);
      }
      if (mainMenu) {
        const menu = new Menu({ commands });
        const title = () => settings.values.labName || trans.__('Quantum');
        menu.id = 'jp-mainmenu-qpi';
        menu.title.label = title();
        settings.changed.connect(() => {
          menu.title.label = title();
        });
        for (const command of known) {
          menu.addItem({ command });
        }
        mainMenu.addMenu(menu, true, { rank: MENU_RANK });
      }
    });
  }
};

/** A card for each command that whoever looks may use, and none for the others: the launcher itself does not ask. */
function keepCards(
  commands: CommandRegistry,
  launcher: ILauncher,
  wanted: readonly string[],
  category: () => string,
  renamed: ISignal<unknown, unknown>
): void {
  const cards = new Map<string, IDisposable>();
  let named = category();
  const show = (command: string, rank: number) => {
    const visible = commands.isVisible(command);
    if (visible && !cards.has(command)) {
      cards.set(command, launcher.add({ command, category: named, rank }));
    } else if (!visible) {
      cards.get(command)?.dispose();
      cards.delete(command);
    }
  };
  wanted.forEach(show);
  renamed.connect(() => {
    if (category() !== named) {
      named = category();
      cards.forEach(card => void card.dispose());
      cards.clear();
      wanted.forEach(show);
    }
  });
  commands.commandChanged.connect((_, { id }) => {
    const rank = wanted.indexOf(id ?? '');
    if (id !== undefined && rank >= 0) {
      show(id, rank);
    }
  });
}
