import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin,
  LabShell
} from '@jupyterlab/application';
import { ICommandPalette, MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { IEditorServices } from '@jupyterlab/codeeditor';
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { Widget } from '@lumino/widgets';

import { PREFIX, tabAddress } from './address';
import { labIcon } from './icon';
import { ILabManager } from './tokens';

/** A kind of tab: one for the whole lab, or one for each value of an argument. */
export interface ITab {
  /** `qpi:open-` and the kind's name. */
  readonly command: string;
  readonly label: string | CommandRegistry.CommandFunc<string>;
  readonly caption?: string;
  readonly isVisible?: () => boolean;
  /** The argument that tells the tabs of this kind apart... */
  readonly argument?: string;
  /** ...and what it is where it was not given; null: nothing is opened. */
  readonly ask?: () => Promise<string | null>;
  readonly title: (value: string) => string;
  /** What the tab holds, loaded when the first one opens; null for somebody who may not see it. */
  readonly make: (value: string) => Promise<Widget | null>;
}

/** What the tabs of a plugin work with; null is what a page has not. */
export interface IPage {
  readonly app: JupyterFrontEnd;
  readonly manager: ILabManager;
  readonly trans: TranslationBundle;
  readonly palette: ICommandPalette | null;
  readonly restorer: ILayoutRestorer | null;
  readonly stateDB: IStateDB | null;
  readonly editors: IEditorServices | null;
  readonly languages: IEditorLanguageRegistry | null;
}

/** A plugin that is a tab, or several. */
export function tabPlugin(
  id: string,
  description: string,
  tabs: (page: IPage) => readonly ITab[]
): JupyterFrontEndPlugin<void> {
  return {
    id,
    description,
    autoStart: true,
    requires: [ILabManager],
    optional: [
      ITranslator,
      ICommandPalette,
      ILayoutRestorer,
      IStateDB,
      IEditorServices,
      IEditorLanguageRegistry
    ],
    activate: (
      app: JupyterFrontEnd,
      manager: ILabManager,
      translator: ITranslator | null,
      palette: ICommandPalette | null,
      restorer: ILayoutRestorer | null,
      stateDB: IStateDB | null,
      editors: IEditorServices | null,
      languages: IEditorLanguageRegistry | null
    ) => {
      const trans = (translator ?? nullTranslator).load('qpi-jupyter');
      const page = { app, manager, trans, palette, restorer, stateDB, editors, languages };
      for (const tab of tabs(page)) {
        addTab(page, tab);
      }
    }
  };
}

/** Whether tabs can be opened here: Jupyter Notebook's pages hold one document each. */
function hasTabs(app: JupyterFrontEnd): boolean {
  return app.shell instanceof LabShell;
}

/** Add the command that opens a tab, brings it to the front where it is open, and opens it again after a reload. */
function addTab({ app, palette, restorer, trans }: IPage, tab: ITab): void {
  const { argument = '', command } = tab;
  const kind = `qpi-${command.slice(PREFIX.length)}`;
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
    widget.title.icon = labIcon;
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
    icon: labIcon,
    ...(tab.caption !== undefined && { caption: tab.caption }),
    ...(tab.isVisible && { isVisible: tab.isVisible }),
    describedBy: {
      args: { type: 'object', properties: argument ? { [argument]: { type: 'string' } } : {} }
    },
    execute: hasTabs(app) ? open : elsewhere
  });
  palette?.addItem({ command, category: trans.__('Quantum lab') });
  void restorer?.restore(tracker, {
    command,
    args: ({ id }) => (argument ? { [argument]: id.slice(kind.length + 1) } : {}),
    name: ({ id }) => id
  });
}
