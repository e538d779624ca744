import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, InputDialog } from '@jupyterlab/apputils';
import { IEditorServices } from '@jupyterlab/codeeditor';
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { labFile } from '../request';
import { addTab } from '../tabs';
import { ILabManager } from '../tokens';
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
    const desk = { app, trans, palette, restorer };
    let tools: ITools | undefined;
    const loaded = async () => {
      const open = await import('./open');
      tools ??= {
        manager,
        trans,
        commands: app.commands,
        services: app.serviceManager,
        editors: editors?.factoryService ?? null,
        file: labFile(app.serviceManager.serverSettings),
        bin: new open.Bin(manager.request)
      };
      return { ...open, tools };
    };
    addTab(desk, {
      command: CommandIDs.openQueue,
      label: trans.__('Job Queue'),
      caption: trans.__('All jobs of the quantum lab'),
      title: () => trans.__('Jobs'),
      make: async () => {
        const { loadView, queueView, tools } = await loaded();
        return queueView(tools, await loadView(stateDB), stateDB);
      }
    });
    addTab(desk, {
      command: CommandIDs.openJob,
      label: trans.__('Open Job…'),
      caption: trans.__('One job: its result, program and story'),
      argument: 'id',
      ask: async () => {
        const title = trans.__('Open which job?');
        const placeholder = trans.__('Its id');
        const answer = await InputDialog.getText({ title, placeholder });
        return answer.button.accept ? (answer.value ?? '').trim() : null;
      },
      title: id => id,
      make: async id => {
        const { jobView, tools } = await loaded();
        return jobView(id, tools, languages);
      }
    });
  }
};
