import { PREFIX } from '../address';
import { pathIcon } from '../icon';
import { tabPlugin } from '../tabs';

export const qpuPlugin = tabPlugin(
  'qpu',
  'A tab for each QPU, and one of their services.',
  ({ app, manager, trans }) => {
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
        icon: pathIcon(
          'services',
          'M9 9h6v6H9zM2 2h5v5H2zM17 2h5v5h-5zM2 17h5v5H2zM17 17h5v5h-5zM6 7h2l2 3H8zM16 7h2l-2 3h-2zM8 14h2l-2 3H6zM14 14h2l2 3h-2z'
        ),
        rank: 15,
        label: trans.__('Services'),
        title: () => trans.__('Services'),
        make: async () => {
          const { ServicesView } = await import('../network/view');
          return new ServicesView(
            manager,
            trans,
            qpu => void app.commands.execute(`${PREFIX}qpu`, { qpu })
          );
        }
      }
    ];
  }
);
