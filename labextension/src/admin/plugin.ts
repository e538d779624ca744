import { tabPlugin } from '../tabs';
import { sectionsFor } from './sections';

const OPEN = 'qpi:open-admin';

export const adminPlugin = tabPlugin(
  'qpi-jupyter:admin',
  'The administration of the lab, for those who may manage it.',
  ({ app, manager, trans }) => {
    const may = () => sectionsFor(manager.state.me?.permissions ?? []).length > 0;
    let visible = may();
    manager.changed.connect(() => {
      if (may() !== visible) {
        visible = may();
        app.commands.notifyCommandChanged(OPEN);
      }
    });
    return [
      {
        command: OPEN,
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
  }
);
