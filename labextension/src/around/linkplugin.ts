import { IRouter } from '@jupyterlab/application';
import { labPlugin } from '../labplugin';
import { takes } from '../takes';

const ROUTE = 'qpi:follow-link';

export const linkPlugin = labPlugin(
  'links',
  "Addresses open the lab's tabs.",
  [],
  [IRouter],
  (app, _, router) => {
    const { commands } = app;
    commands.addCommand(ROUTE, {
      label: 'Follow a link to the quantum lab',
      isVisible: () => false,
      describedBy: takes('search'),
      execute: async args => {
        await app.restored; // all tabs are known, and a restored layout would come on top of this one
        const { askedTab } = await import('../links');
        const asked = await askedTab(String(args.search ?? ''), commands);
        if (asked) {
          const { pathname, hash } = window.location;
          window.history.replaceState({}, '', pathname + asked.rest + hash);
          await commands.execute(asked.command, asked.args);
        }
      }
    });
    router?.register({ command: ROUTE, pattern: /[?&]qpi=/ });
  }
);
