import { pathIcon } from '../icon';
import { labFile } from '../request';
import { tabPlugin } from '../tabs';

export const accountPlugin = tabPlugin(
  'account',
  'The tab of my account.',
  ({ app, manager, trans }) => {
    const settings = app.serviceManager.serverSettings;
    return [
      {
        name: 'account',
        icon: pathIcon('account', 'M12 3a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM4 20a8 7 0 0 1 16 0v1H4z'),
        rank: 30,
        label: trans.__('My Account'),
        caption: trans.__('My QPU time, my API tokens, my profile'),
        title: () => trans.__('My account'),
        make: async () => {
          const { AccountView } = await import('./view');
          const { commands } = app;
          const file = labFile(settings);
          return new AccountView({ manager, trans, commands, file, address: settings.baseUrl });
        }
      }
    ];
  }
);
