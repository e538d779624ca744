import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { hasEnded } from '../jobs';
import { ILabManager, type ILabState } from '../tokens';
import { ILabSettings } from './settings';

export const notifyPlugin: JupyterFrontEndPlugin<void> = {
  id: 'qpi-jupyter:notify',
  description: 'Notifications of my jobs and bookings.',
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
    let asked = false;
    const ask = async () => {
      if (settings.values.notifyDesktop !== asked) {
        asked = settings.values.notifyDesktop;
        asked && (await import('./desktop')).askForDesktop(trans);
      }
    };
    settings.changed.connect(ask);
    // What there is to tell begins with the first job that goes on, or the first booking to come
    const begin = async (_: unknown, state: ILabState) => {
      if (state.myBookings.length > 0 || !state.jobs.every(hasEnded)) {
        manager.changed.disconnect(begin);
        const [{ Notifier }, { notifications }] = await Promise.all([
          import('./notifier'),
          import('./notifications')
        ]);
        new Notifier(manager, notifications(manager, settings, commands, trans), state);
      }
    };
    manager.changed.connect(begin);
    void begin(manager, manager.state);
  }
};
