import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, InputDialog, Notification } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { addTab } from '../tabs';
import { ILabManager } from '../tokens';

export const qpuPlugin: JupyterFrontEndPlugin<void> = {
  id: 'qpi-jupyter:qpu',
  description: 'A tab for each QPU: topology, calibration, telemetry and drivers.',
  autoStart: true,
  requires: [ILabManager],
  optional: [ITranslator, ICommandPalette, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    manager: ILabManager,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null
  ) => {
    const trans = (translator ?? nullTranslator).load('qpi-jupyter');
    addTab(
      { app, trans, palette, restorer },
      {
        command: 'qpi:open-qpu',
        label: args => (args.qpu ? trans.__('Open %1', args.qpu) : trans.__('Open QPU…')),
        caption: trans.__('Topology, calibration, telemetry and drivers of a QPU'),
        argument: 'qpu',
        ask: async () => {
          const names = manager.state.qpus.map(qpu => qpu.name);
          if (names.length === 0) {
            Notification.info(trans.__('The lab has no QPU yet.'));
          }
          if (names.length < 2) {
            return names[0] ?? null;
          }
          const title = trans.__('Open which QPU?');
          const answer = await InputDialog.getItem({ title, items: names });
          return answer.button.accept ? answer.value : null;
        },
        title: qpu => qpu,
        make: async qpu => {
          const { QpuView } = await import('./view');
          return new QpuView(manager, qpu, trans);
        }
      }
    );
  }
};
