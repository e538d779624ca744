import { ICommandPalette } from '@jupyterlab/apputils';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { IMainMenu } from '@jupyterlab/mainmenu';
import { INotebookTracker } from '@jupyterlab/notebook';

import { labIcon } from '../icon';
import { labPlugin } from '../labplugin';
import { takes } from '../takes';
import { ILabManager } from '../tokens';
import { FILE_SUFFIX, FILE_TYPE } from './filetypeplugin';
import { ILabSettings } from './settings';

const SUBMIT_FILE = 'qpi:submit-file';
const INSERT_JOB = 'qpi:insert-job';
const RUNTIME = 'qpi:switch-runtime';

/** The path that a command was given, or of the OpenQASM file that is selected in the file browser. */
function pathOf(args: { path?: unknown }, factory: IFileBrowserFactory | null): string | null {
  if (typeof args.path === 'string') {
    return args.path;
  }
  const selected = factory?.tracker.currentWidget?.selectedItems().next();
  return selected && !selected.done && selected.value.path.endsWith(FILE_SUFFIX)
    ? selected.value.path
    : null;
}

export const submitPlugin = labPlugin(
  'submit',
  'Submits from JupyterLab.',
  [ILabManager, ILabSettings],
  [IFileBrowserFactory, INotebookTracker, ICommandPalette, IMainMenu],
  (app, trans, manager, settings, browsers, notebooks, palette, mainMenu) => {
    const { commands, contextMenu, serviceManager } = app;
    commands.addCommand(SUBMIT_FILE, {
      label: trans.__('Submit to QPU…'),
      caption: trans.__('Run this OpenQASM file on a QPU'),
      icon: labIcon,
      describedBy: takes('path'),
      isEnabled: args => pathOf(args, browsers) !== null,
      execute: async args => {
        const path = pathOf(args, browsers);
        if (path !== null) {
          const { submitFile } = await import('./submit');
          await submitFile({
            path,
            commands,
            contents: serviceManager.contents,
            manager,
            settings,
            trans
          });
        }
      }
    });
    const category = trans.__('Quantum lab');
    palette?.addItem({ command: SUBMIT_FILE, category });
    contextMenu.addItem({
      command: SUBMIT_FILE,
      selector: `.jp-DirListing-item[data-file-type="${FILE_TYPE}"]`,
      rank: 4
    });
    commands.addCommand(INSERT_JOB, {
      label: trans.__('Insert job'),
      caption: trans.__('Insert a cell that submits a job'),
      icon: labIcon,
      describedBy: takes(),
      isEnabled: () => notebooks?.currentWidget != null,
      execute: async () => {
        const panel = notebooks?.currentWidget;
        if (panel) {
          const { insertJob } = await import('./insertjob');
          insertJob(panel.content, settings.values.defaultQpu);
        }
      }
    });
    const kernel = () => notebooks?.currentWidget?.sessionContext.session?.kernel;
    commands.addCommand(RUNTIME, {
      label: trans.__('IBM Quantum Client…'),
      caption: trans.__('Let QiskitRuntimeService() in this kernel be the lab'),
      icon: labIcon,
      describedBy: takes(),
      isEnabled: () => Boolean(kernel()),
      execute: async () => {
        const found = kernel();
        if (found) {
          const { switchRuntime } = await import('./runtimeswitch');
          await switchRuntime(found, trans);
        }
      }
    });
    if (notebooks) {
      palette?.addItem({ command: INSERT_JOB, category });
      palette?.addItem({ command: RUNTIME, category });
      mainMenu?.kernelMenu.addGroup([{ command: RUNTIME }], 100);
    }
  }
);
