import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';

import { Place } from '../place';

export const widgetsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'qpi-jupyter:widgets',
  description: 'Shows widgets while their kernel lives, and their pictures after it.',
  autoStart: true,
  requires: [INotebookTracker],
  activate: (_: JupyterFrontEnd, notebooks: INotebookTracker) => {
    notebooks.widgetAdded.connect((_, { content: { rendermime }, sessionContext }) => {
      const make = async (place: Place) => {
        const { Display } = await import('./display');
        return new Display(place, rendermime, sessionContext);
      };
      rendermime.addFactory(
        {
          safe: true,
          mimeTypes: ['application/vnd.qpi.widget+json'],
          createRenderer: () => new Place(make)
        },
        -20 // before widgets in the form that everybody knows
      );
    });
  }
};
