import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Place } from '../place';
import { ILabManager } from '../tokens';
import { JOB_OUTPUT } from '../wire';
import type { Outputs } from './outputs';

export const outputsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'qpi-jupyter:outputs',
  description: 'Jobs in notebooks, without a kernel.',
  autoStart: true,
  requires: [INotebookTracker, ILabManager],
  optional: [ITranslator],
  activate: (
    { commands }: JupyterFrontEnd,
    notebooks: INotebookTracker,
    manager: ILabManager,
    translator: ITranslator | null
  ) => {
    let outputs: Promise<Outputs> | undefined;
    notebooks.widgetAdded.connect(async (_, panel) => {
      const load = async () => {
        const { Outputs } = await import('./outputs');
        const trans = (translator ?? nullTranslator).load('qpi-jupyter');
        return new Outputs({ commands, manager, trans });
      };
      outputs ??= load();
      const loaded = outputs;
      const createRenderer = () => new Place(async place => (await loaded).into(place));
      panel.content.rendermime.addFactory(
        { safe: true, mimeTypes: [JOB_OUTPUT], createRenderer },
        -10 // before everything that is beside it, but a widget
      );
      (await loaded).keep(panel);
    });
  }
};
