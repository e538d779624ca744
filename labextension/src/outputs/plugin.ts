import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { type IRenderMime, IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Panel } from '@lumino/widgets';

import { ILabManager } from '../tokens';
import { JOB_OUTPUT } from '../wire';
import type { Outputs } from './outputs';

export const outputsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'qpi-jupyter:outputs',
  description: 'Jobs in notebooks, drawn and kept up to date without a kernel.',
  autoStart: true,
  requires: [IRenderMimeRegistry, ILabManager],
  optional: [INotebookTracker, ITranslator],
  activate: (
    { commands }: JupyterFrontEnd,
    rendermime: IRenderMimeRegistry,
    manager: ILabManager,
    notebooks: INotebookTracker | null,
    translator: ITranslator | null
  ) => {
    let made: Promise<Outputs> | undefined;
    const outputs = () => {
      made ??= import('./outputs').then(({ Outputs }) => {
        const trans = (translator ?? nullTranslator).load('qpi-jupyter');
        return new Outputs({ commands, manager, trans });
      });
      return made;
    };
    rendermime.addFactory({
      safe: true,
      mimeTypes: [JOB_OUTPUT],
      defaultRank: 0,
      createRenderer: () => new Output(outputs)
    });
    notebooks?.widgetAdded.connect(async (_, panel) => (await outputs()).keep(panel));
  }
};

/** A job's output, drawn once what draws it is loaded. */
class Output extends Panel implements IRenderMime.IRenderer {
  constructor(private readonly _outputs: () => Promise<Outputs>) {
    super();
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    (await this._outputs()).draw(this, model);
  }
}
