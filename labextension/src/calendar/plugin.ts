import { tabPlugin } from '../tabs';

export const calendarPlugin = tabPlugin(
  'qpi-jupyter:calendar',
  'The calendar tab: who has which QPU when.',
  ({ manager, trans, stateDB }) => {
    return [
      {
        command: 'qpi:open-calendar',
        label: trans.__('Calendar'),
        caption: trans.__('See and book the time of the QPUs'),
        title: () => trans.__('QPU calendar'),
        make: async () => {
          const { CalendarTab } = await import('./view');
          return CalendarTab.load(manager, stateDB, trans);
        }
      }
    ];
  }
);
