import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { IEditorServices } from '@jupyterlab/codeeditor';
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { Widget } from '@lumino/widgets';

import { labIcon } from '../icon';
import { labFile } from '../request';
import { addTabCommand } from '../tabs';
import { ILabManager } from '../tokens';
import { Bin } from './bin';
import { CommandIDs, type ITools } from './tools';

export const queuePlugin: JupyterFrontEndPlugin<void> = {
  id: 'qpi-jupyter:queue',
  description: 'The queue tab, and a tab for each job.',
  autoStart: true,
  requires: [ILabManager],
  optional: [
    IEditorServices,
    IEditorLanguageRegistry,
    ICommandPalette,
    ITranslator,
    ILayoutRestorer,
    IStateDB
  ],
  activate: (
    app: JupyterFrontEnd,
    manager: ILabManager,
    editors: IEditorServices | null,
    languages: IEditorLanguageRegistry | null,
    palette: ICommandPalette | null,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    stateDB: IStateDB | null
  ) => {
    const trans = (translator ?? nullTranslator).load('qpi-jupyter');
    const tools: ITools = {
      manager,
      trans,
      commands: app.commands,
      services: app.serviceManager,
      editors: editors?.factoryService ?? null,
      file: labFile(app.serviceManager.serverSettings),
      bin: new Bin(manager.request)
    };
    const queues = new WidgetTracker<MainAreaWidget>({ namespace: 'qpi-queue' });
    const jobs = new WidgetTracker<MainAreaWidget>({ namespace: 'qpi-job' });

    addTabCommand(app, CommandIDs.openQueue, {
      label: trans.__('Job Queue'),
      caption: trans.__('All jobs of the quantum lab'),
      icon: labIcon,
      execute: async () => {
        const { loadView, queueView } = await import('./open');
        const view = await loadView(stateDB);
        const make = () => queueView(tools, view, stateDB);
        return show(app, queues, 'qpi-queue', trans.__('Jobs'), make);
      }
    });
    addTabCommand(app, CommandIDs.openJob, {
      label: trans.__('Open Job'),
      icon: labIcon,
      execute: async args => {
        const id = String(args.id ?? '');
        const { jobView } = await import('./open');
        return show(app, jobs, `qpi-job-${id}`, id, () => jobView(id, tools, languages));
      }
    });
    palette?.addItem({ command: CommandIDs.openQueue, category: trans.__('Quantum lab') });
    void restorer?.restore(queues, { command: CommandIDs.openQueue, name: () => 'queue' });
    void restorer?.restore(jobs, {
      command: CommandIDs.openJob,
      args: widget => ({ id: widget.id.slice('qpi-job-'.length) }),
      name: widget => widget.id
    });
  }
};

/** The tab with this id in front; it is made where it is not there. */
function show(
  app: JupyterFrontEnd,
  tracker: WidgetTracker<MainAreaWidget>,
  id: string,
  title: string,
  make: () => Widget
): MainAreaWidget {
  let tab = tracker.find(widget => widget.id === id);
  if (!tab) {
    tab = new MainAreaWidget({ content: make() });
    tab.id = id;
    tab.title.label = title;
    tab.title.icon = labIcon;
    tab.title.closable = true;
    tab.toolbar.hide(); // nothing is in it
    app.shell.add(tab, 'main', { type: 'QPI' });
    void tracker.add(tab);
  }
  app.shell.activateById(id);
  return tab;
}
