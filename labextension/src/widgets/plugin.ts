import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Panel } from '@lumino/widgets';

import type { Display } from './display';

export const widgetsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'qpi-jupyter:widgets',
  description: 'Shows widgets while their kernel lives, and their pictures after it.',
  autoStart: true,
  requires: [INotebookTracker],
  activate: (_: JupyterFrontEnd, notebooks: INotebookTracker) => {
    notebooks.widgetAdded.connect((_, { content: { rendermime }, sessionContext }) => {
      class Output extends Panel implements IRenderMime.IRenderer {
        async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
          this._display ??= import('./display').then(
            loaded => new loaded.Display(this, rendermime, sessionContext)
          );
          await (await this._display).show(model);
        }

        private _display?: Promise<Display>;
      }
      rendermime.addFactory(
        {
          safe: true,
          mimeTypes: ['application/vnd.qpi.widget+json'],
          createRenderer: () => new Output()
        },
        -20 // before widgets in the form that everybody knows
      );
    });
  }
};
