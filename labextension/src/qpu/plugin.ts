import { InputDialog, Notification } from '@jupyterlab/apputils';
import { pathIcon } from '../icon';
import { tabPlugin } from '../tabs';

export const qpuPlugin = tabPlugin(
  'qpi-jupyter:qpu',
  'A tab for each QPU: topology, calibration, telemetry and drivers.',
  ({ manager, trans }) => {
    return [
      {
        name: 'qpu',
        icon: pathIcon(
          'qpu',
          'M6 6h12v12H6zM8 8v8h8V8zM10 10h4v4h-4zM9 2h2v4H9zM13 2h2v4h-2zM9 18h2v4H9zM13 18h2v4h-2zM2 9h4v2H2zM2 13h4v2H2zM18 9h4v2h-4zM18 13h4v2h-4z'
        ),
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
