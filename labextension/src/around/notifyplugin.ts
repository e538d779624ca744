import { hasEnded } from '../jobs';
import { labPlugin } from '../labplugin';
import { ILabManager, type ILabState } from '../tokens';
import type { JobModel } from '../wire';
import { ILabSettings } from './settings';

export const notifyPlugin = labPlugin(
  'notify',
  'Notifications of jobs and bookings.',
  [ILabManager, ILabSettings],
  [],
  ({ commands }, trans, manager, settings) => {
    let asked = false;
    const ask = async () => {
      if (settings.values.notifyDesktop !== asked) {
        asked = settings.values.notifyDesktop;
        asked && (await import('./desktop')).askForDesktop(trans);
      }
    };
    settings.changed.connect(ask);
    let first = manager.state;
    // What there is to tell begins with the first job that goes on, or came and ended since the lab's first answer, or
    // with the first booking to come
    const begin = async (_: unknown, state: ILabState) => {
      first = first.lastSeen === null ? state : first;
      const since = first.lastSeen ?? Number.POSITIVE_INFINITY;
      const isNews = (job: JobModel) => !hasEnded(job) || Date.parse(job.submitted_at) > since;
      if (state.myBookings.length > 0 || state.jobs.some(isNews)) {
        manager.changed.disconnect(begin);
        const [{ Notifier }, { notifications }] = await Promise.all([
          import('./notifier'),
          import('./notifications')
        ]);
        new Notifier(manager, notifications(manager, settings, commands, trans), first);
      }
    };
    manager.changed.connect(begin);
    void begin(manager, manager.state);
  }
);
