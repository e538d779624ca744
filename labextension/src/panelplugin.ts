import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { labIcon } from './icon';
import { LabPanel } from './panel';
import { ILabManager } from './tokens';

export const panelPlugin: JupyterFrontEndPlugin<void> = {
  id: 'qpi-jupyter:panel',
  description: "The side panel: the lab's QPUs and your jobs.",
  autoStart: true,
  requires: [ILabManager],
  optional: [ITranslator, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    manager: ILabManager,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null
  ) => {
    const trans = (translator ?? nullTranslator).load('qpi-jupyter');
    const panel = new LabPanel(manager, trans);
    panel.id = 'qpi-lab-panel';
    panel.title.caption = trans.__('Quantum lab');
    panel.title.icon = labIcon;
    app.shell.add(panel, 'left', { rank: 900, type: 'QPI' });
    restorer?.add(panel, panel.id);
  }
};
