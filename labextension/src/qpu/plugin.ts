import { InputDialog, Notification } from '@jupyterlab/apputils';
import { tabPlugin } from '../tabs';

export const qpuPlugin = tabPlugin(
  'qpi-jupyter:qpu',
  'A tab for each QPU: topology, calibration, telemetry and drivers.',
  ({ manager, trans }) => {
    return [
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
    ];
  }
);
