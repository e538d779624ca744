import { pathIcon } from '../icon';
import { tabPlugin } from '../tabs';
import type { JobTabs } from './open';

export const queuePlugin = tabPlugin('queue', 'The queue and job tabs.', page => {
  const { trans } = page;
  let tabs: JobTabs | undefined;
  const loaded = async () => {
    const { JobTabs } = await import('./open');
    tabs ??= new JobTabs(page);
    return tabs;
  };
  return [
    {
      name: 'queue',
      icon: pathIcon(
        'queue',
        'M3 4h4v4H3zM9 5h12v2H9zM3 10h4v4H3zM9 11h12v2H9zM3 16h4v4H3zM9 17h12v2H9z'
      ),
      rank: 20,
      label: trans.__('Job Queue'),
      caption: trans.__('All jobs of the quantum lab'),
      title: () => trans.__('Job queue'),
      make: async () => (await loaded()).queue()
    },
    {
      name: 'job',
      icon: pathIcon('job', 'M5 2h9l5 5v15H5zM7 4v16h10V8h-4V4zM9 14h2v4H9zM13 11h2v7h-2z'),
      label: trans.__('Open Job…'),
      argument: 'id',
      ask: async () => (await loaded()).ask(),
      title: id => id,
      make: async id => (await loaded()).job(id)
    }
  ];
});
