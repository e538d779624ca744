import { treeViewIcon } from '@jupyterlab/ui-components';
import { pathIcon } from '../icon';
import { tabPlugin } from '../tabs';

export const qpuPlugin = tabPlugin('qpu', 'A tab for each QPU.', ({ app, manager, trans }) => {
  const services = trans.__('Services');
  return [
    {
      name: 'qpu',
      icon: pathIcon(
        'qpu',
        'M6 6h12v12H6zM8 8v8h8V8zM10 10h4v4h-4zM9 2h2v4H9zM13 2h2v4h-2zM9 18h2v4H9zM13 18h2v4h-2zM2 9h4v2H2zM2 13h4v2H2zM18 9h4v2h-4zM18 13h4v2h-4z'
      ),
      label: args => (args.qpu ? trans.__('Open %1', args.qpu) : trans.__('Open QPU…')),
      argument: 'qpu',
      ask: async () => {
        const { askQpu } = await import('./ask');
        return askQpu(manager, trans);
      },
      title: qpu => qpu,
      make: async qpu => {
        const { QpuView } = await import('./view');
        return new QpuView(manager, qpu, trans);
      }
    },
    {
      name: 'services',
      icon: treeViewIcon,
      rank: 15,
      label: services,
      title: () => services,
      make: async () => {
        const { ServicesView } = await import('../network/view');
        return new ServicesView(manager, trans, app.commands);
      }
    }
  ];
});
