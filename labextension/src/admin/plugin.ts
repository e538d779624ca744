import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { labIcon } from '../icon';
import { addTabCommand } from '../tabs';
import { ILabManager } from '../tokens';
import { Rights } from './model';

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
    const tracker = new WidgetTracker<MainAreaWidget>({ namespace: 'qpi-admin' });
    const rights = new Rights(manager);
    const open = async (): Promise<MainAreaWidget | null> => {
      await rights.known;
      if (rights.sections.length === 0) {
        return null;
      }
      const { AdminView } = await import('./view');
      const content = new AdminView(manager, rights, trans);
      const widget = new MainAreaWidget({ content });
      widget.id = 'qpi-admin';
      widget.title.label = trans.__('Administration');
      widget.title.icon = labIcon;
      widget.title.closable = true;
      await tracker.add(widget);
      return widget;
    };
    let opening: Promise<MainAreaWidget | null> | null = null;
    addTabCommand(app, OPEN, {
      label: trans.__('Lab Administration'),
      caption: trans.__('Manage QPUs, drivers, people, QPU time and notices'),
      icon: labIcon,
      isVisible: () => rights.sections.length > 0,
      execute: async () => {
        opening ??= open();
        const widget = tracker.currentWidget ?? (await opening);
        opening = null;
        if (widget !== null) {
          if (!widget.isAttached) {
            app.shell.add(widget, 'main', { type: 'QPI' });
          }
          app.shell.activateById(widget.id);
        }
      }
    });
    rights.changed.connect(() => app.commands.notifyCommandChanged(OPEN));
    palette?.addItem({ command: OPEN, category: trans.__('Quantum lab') });
    void restorer?.restore(tracker, { command: OPEN, name: () => 'qpi-admin' });
  }
};
