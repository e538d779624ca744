import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  ICommandPalette,
  InputDialog,
  MainAreaWidget,
  Notification,
  WidgetTracker
} from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { labIcon } from '../icon';
import { addTabCommand } from '../tabs';
import { ILabManager } from '../tokens';
import type { QpuView } from './view';

export const OPEN_QPU = 'qpi:open-qpu';

export const qpuPlugin: JupyterFrontEndPlugin<void> = {
  id: 'qpi-jupyter:qpu',
  description: 'A tab for each QPU: topology, calibration, telemetry and drivers.',
  autoStart: true,
  requires: [ILabManager],
  optional: [ITranslator, ICommandPalette, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    manager: ILabManager,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null
  ) => {
    const trans = (translator ?? nullTranslator).load('qpi-jupyter');
    const tracker = new WidgetTracker<MainAreaWidget<QpuView>>({ namespace: 'qpi-qpu' });

    /** The QPU that was meant; without a word of it the person picks one. */
    const meant = async (given: unknown): Promise<string | null> => {
      const names = manager.state.qpus.map(qpu => qpu.name);
      if (typeof given === 'string' && given) {
        return given;
      }
      const [only] = names;
      if (only === undefined) {
        Notification.info(trans.__('The lab has no QPU yet.'));
        return null;
      }
      if (names.length === 1) {
        return only;
      }
      const answer = await InputDialog.getItem({
        title: trans.__('Open which QPU?'),
        items: names
      });
      return answer.button.accept ? answer.value : null;
    };

    addTabCommand(app, OPEN_QPU, {
      label: args => (args.qpu ? trans.__('Open %1', args.qpu) : trans.__('Open QPU…')),
      caption: trans.__('Topology, calibration, telemetry and drivers of a QPU'),
      icon: labIcon,
      describedBy: {
        args: { type: 'object', properties: { qpu: { type: 'string', description: 'Its name' } } }
      },
      execute: async args => {
        const qpu = await meant(args.qpu);
        if (qpu === null) {
          return;
        }
        const { QpuView } = await import('./view');
        let widget = tracker.find(({ content }) => content.qpu === qpu);
        if (widget === undefined) {
          widget = new MainAreaWidget({ content: new QpuView(manager, qpu, trans) });
          widget.id = `qpi-qpu-${qpu}`;
          widget.title.label = qpu;
          widget.title.caption = trans.__('QPU %1', qpu);
          widget.title.icon = labIcon;
          widget.title.closable = true;
          void tracker.add(widget);
          app.shell.add(widget, 'main', { type: 'QPI' });
        }
        app.shell.activateById(widget.id);
      }
    });
    palette?.addItem({ command: OPEN_QPU, category: trans.__('Quantum lab') });
    void restorer?.restore(tracker, {
      command: OPEN_QPU,
      args: ({ content }) => ({ qpu: content.qpu }),
      name: ({ content }) => content.qpu
    });
  }
};
