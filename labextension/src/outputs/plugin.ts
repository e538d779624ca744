import { INotebookTracker } from '@jupyterlab/notebook';

import { labPlugin } from '../labplugin';
import { Place } from '../place';
import { ILabManager } from '../tokens';
import { WIDGET } from '../widgets/types';
import { JOB_OUTPUT, PREVIEW_OUTPUT } from '../wire';
import type { Outputs } from './outputs';

export const outputsPlugin = labPlugin(
  'outputs',
  'Jobs and widgets in notebooks.',
  [INotebookTracker, ILabManager],
  [],
  (app, trans, notebooks, manager) => {
    let outputs: Promise<Outputs> | undefined;
    notebooks.widgetAdded.connect(async (_, panel) => {
      outputs ??= import('./outputs').then(({ Outputs }) => new Outputs(app, manager, trans));
      const loaded = outputs;
      panel.content.rendermime.addFactory(
        {
          safe: true,
          mimeTypes: [WIDGET, JOB_OUTPUT, PREVIEW_OUTPUT],
          createRenderer: () => new Place(async place => (await loaded).into(place, panel))
        },
        -20 // before everything that is beside it in an output
      );
      (await loaded).keep(panel);
    });
  }
);
