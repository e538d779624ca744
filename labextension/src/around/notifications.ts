import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';

import type { ILabManager } from '../tokens';
import type { JobModel } from '../wire';
import { ends, stamp } from '../words';
import type { INotifications } from './notifier';
import type { ILabSettings } from './settings';

const STAYS = 10_000;

/** Tells news in JupyterLab's notification centre, as far as the settings let it. */
export function notifications(
  manager: ILabManager,
  settings: ILabSettings,
  commands: CommandRegistry,
  trans: TranslationBundle
): INotifications {
  const action = (label: string, command: string, args: { id?: string } = {}) =>
    commands.hasCommand(command)
      ? [{ label, callback: () => void commands.execute(command, args) }]
      : [];
  const said = (job: JobModel): [string, 'success' | 'error' | 'info'] => {
    const name = job.name || job.id;
    if (job.status === 'failed') {
      return [trans.__('%1 failed: %2', name, job.error?.message ?? ''), 'error'];
    }
    return job.status === 'cancelled'
      ? [trans.__('%1 was cancelled.', name), 'info']
      : [trans.__('%1 has completed.', name), 'success'];
  };
  return {
    jobEnded: job => {
      if (settings.values.notifyJobs) {
        const [message, type] = said(job);
        const actions = action(trans.__('Open'), 'qpi:open-job', { id: job.id });
        Notification.emit(message, type, { actions, autoClose: STAYS });
      }
    },
    bookingBegan: booking => {
      if (settings.values.notifyBookings) {
        const until = stamp(ends(booking), manager.now());
        Notification.info(trans.__('%1 is yours until %2.', booking.qpu, until), {
          actions: action(trans.__('Calendar'), 'qpi:open-calendar'),
          autoClose: STAYS
        });
      }
    }
  };
}
