import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';

import type { ILabManager } from '../tokens';
import { ends, stamp } from '../words';
import { desktop } from './desktop';
import { inSight } from './insight';
import { type INews, News } from './news';
import type { INotifications } from './notifier';
import type { ILabSettings } from './settings';

const STAYS = 10_000;

/** Tells news in JupyterLab's notification centre, and on the desktop, as far as the settings let it. */
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
  const tell = (text: string) => settings.values.notifyDesktop && desktop(text);
  const news = new News({
    trans,
    now: () => manager.now(),
    inSight,
    tell: (said: INews, known: string | null): string => {
      tell(said.message);
      const actions =
        said.job === null
          ? action(trans.__('Job queue'), 'qpi:open-queue')
          : action(trans.__('Open'), 'qpi:open-job', { id: said.job.id });
      const shown = { message: said.message, type: said.type, actions, autoClose: STAYS };
      if (known !== null && Notification.update({ id: known, ...shown })) {
        return known;
      }
      return Notification.emit(said.message, said.type, { actions, autoClose: STAYS });
    },
    stands: id => Notification.manager.has(id)
  });
  return {
    jobEnded: job => {
      if (settings.values.notifyJobs) {
        void news.add(job);
      }
    },
    bookingBegan: booking => {
      if (settings.values.notifyBookings) {
        const until = stamp(ends(booking), manager.now());
        const message = trans.__('%1 is yours until %2.', booking.qpu, until);
        tell(message);
        Notification.info(message, {
          actions: action(trans.__('Calendar'), 'qpi:open-calendar'),
          autoClose: STAYS
        });
      }
    }
  };
}
