import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ITranslator } from '@jupyterlab/translation';

import { Place } from '../place';
import { ILabManager } from '../tokens';
import { WIDGET } from '../widgets/types';
import { JOB_OUTPUT } from '../wire';
import type { Outputs } from './outputs';

export const outputsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'qpi-jupyter:outputs',
  description: 'Jobs and widgets in notebooks.',
  autoStart: true,
  requires: [INotebookTracker, ILabManager],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    notebooks: INotebookTracker,
    manager: ILabManager,
    translator: ITranslator | null
  ) => {
    let outputs: Promise<Outputs> | undefined;
    notebooks.widgetAdded.connect(async (_, panel) => {
      outputs ??= import('./outputs').then(({ Outputs }) => new Outputs(app, manager, translator));
      const loaded = outputs;
      panel.content.rendermime.addFactory(
        {
          safe: true,
          mimeTypes: [WIDGET, JOB_OUTPUT],
          createRenderer: () => new Place(async place => (await loaded).into(place, panel))
        },
        -20 // before everything that is beside it in an output
      );
      (await loaded).keep(panel);
    });
  }
};
