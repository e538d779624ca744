import { InputDialog } from '@jupyterlab/apputils';

import { tabPlugin } from '../tabs';
import type { JobTabs } from './open';
import { CommandIDs } from './tools';

export const queuePlugin = tabPlugin(
  'qpi-jupyter:queue',
  'The queue tab, and a tab for each job.',
  page => {
    const { trans } = page;
    let tabs: JobTabs | undefined;
    const loaded = async () => {
      const { JobTabs } = await import('./open');
      tabs ??= new JobTabs(page);
      return tabs;
    };
    return [
      {
        command: CommandIDs.openQueue,
        label: trans.__('Job Queue'),
        caption: trans.__('All jobs of the quantum lab'),
        title: () => trans.__('Jobs'),
        make: async () => (await loaded()).queue()
      },
      {
        command: CommandIDs.openJob,
        label: trans.__('Open Job…'),
        caption: trans.__('One job: its result, program and story'),
        argument: 'id',
        ask: async () => {
          const title = trans.__('Open which job?');
          const placeholder = trans.__('Job ID');
          const answer = await InputDialog.getText({ title, placeholder });
          return answer.button.accept ? (answer.value ?? '').trim() : null;
        },
        title: id => id,
        make: async id => (await loaded()).job(id)
      }
    ];
  }
);
