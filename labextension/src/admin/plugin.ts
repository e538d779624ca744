import { PREFIX } from '../address';
import { pathIcon } from '../icon';
import { tabPlugin } from '../tabs';
import { sectionsFor } from './sections';

const NAME = 'admin';

export const adminPlugin = tabPlugin('admin', 'The administration.', ({ app, manager, trans }) => {
  const may = () => sectionsFor(manager.state.me?.permissions ?? []).length > 0;
  let visible = may();
  manager.changed.connect(() => {
    if (may() !== visible) {
      visible = may();
      app.commands.notifyCommandChanged(PREFIX + NAME);
    }
  });
  return [
    {
      name: NAME,
      icon: pathIcon(
        'admin',
        'M3 5h3v2H3zM6 3h3v6H6zM9 5h12v2H9zM3 11h11v2H3zM14 9h3v6h-3zM17 11h4v2h-4zM3 17h5v2H3zM8 15h3v6H8zM11 17h10v2H11z'
      ),
      rank: 40,
      label: trans.__('Lab Administration'),
      caption: trans.__('Manage QPUs, drivers, people, QPU time and notices'),
      isVisible: may,
      title: () => trans.__('Administration'),
      make: async () => {
        if (manager.state.lastSeen === null) {
          await manager.refresh(); // a tab restored at the start asks before anybody has answered
        }
        if (!may()) {
          return null;
        }
        const { AdminView } = await import('./view');
        return new AdminView(manager, trans);
      }
    }
  ];
});
