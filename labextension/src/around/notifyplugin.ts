import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { ILabManager } from '../tokens';
import type { JobModel } from '../wire';
import { ends, moment } from '../words';
import { News } from './news';
import { ILabSettings } from './settings';

const STAYS = 10_000;

export const notifyPlugin: JupyterFrontEndPlugin<void> = {
  id: 'qpi-jupyter:notify',
  description: 'Tells when a job of mine ends and when a booking of mine begins.',
  autoStart: true,
  requires: [ILabManager, ILabSettings],
  optional: [ITranslator],
  activate: (
    { commands }: JupyterFrontEnd,
    manager: ILabManager,
    settings: ILabSettings,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('qpi-jupyter');
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
    new News(manager, {
      jobEnded: job => {
        if (settings.values.notifyJobs) {
          const [message, type] = said(job);
          const actions = action(trans.__('Open'), 'qpi:open-job', { id: job.id });
          Notification.emit(message, type, { actions, autoClose: STAYS });
        }
      },
      bookingBegan: booking => {
        if (settings.values.notifyBookings) {
          const until = moment(ends(booking), manager.now());
          Notification.info(trans.__('%1 is yours until %2.', booking.qpu, until), {
            actions: action(trans.__('Calendar'), 'qpi:open-calendar'),
            autoClose: STAYS
          });
        }
      }
    });
  }
};
