import { pathIcon } from '../icon';
import { tabPlugin } from '../tabs';

export const calendarPlugin = tabPlugin(
  'calendar',
  'The calendar tab.',
  ({ manager, trans, stateDB }) => {
    return [
      {
        name: 'calendar',
        icon: pathIcon(
          'calendar',
          'M5 4h2V2h2v2h6V2h2v2h2a2 2 0 0 1 2 2v13a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2zM5 9v10h14V9zM7 11h5v3H7z'
        ),
        rank: 10,
        label: trans.__('Calendar'),
        caption: trans.__('See and book QPU time'),
        title: () => trans.__('QPU calendar'),
        make: async () => {
          const { CalendarTab } = await import('./view');
          return CalendarTab.load(manager, stateDB, trans);
        }
      }
    ];
  }
);
