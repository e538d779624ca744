import '../../style/calendar.css';

import { Notification } from '@jupyterlab/apputils';

import { CalendarController } from '../calendar/controller';
import { CalendarModel } from '../calendar/model';
import { Calendar } from '../calendar/page';
import { momentOf } from '../calendar/zones';
import { KernelLab } from './lab';
import { anywidget } from './mount';
import { english } from './words';

/** How long "Undo" is offered (ms). */
const UNDO_FOR = 15_000;

export default anywidget('CalendarWidget', 'Calendar', ({ model, kernel }) => {
  const lab = new KernelLab(kernel, ['me', 'qpus']);
  const calendar = new CalendarModel(lab);
  const controller = new CalendarController(calendar, english, (said, undo) => {
    const actions = undo ? [{ label: english.__('Undo'), callback: undo }] : [];
    Notification.success(said, undo ? { actions, autoClose: UNDO_FOR } : {});
  });
  const qpu = String(model.get('qpu'));
  const only = () => {
    const names = lab.state.qpus.map(({ name }) => name);
    if (names.length > 0) {
      lab.changed.disconnect(only);
      controller.setHidden(qpu ? names.filter(name => name !== qpu) : []);
    }
  };
  lab.changed.connect(only);
  let told = '';
  controller.changed.connect((_, { draft, zone }) => {
    const [start, end] = [draft && momentOf(draft.start, zone), draft && momentOf(draft.end, zone)];
    const value = draft && start && end ? { qpu: draft.qpu, start, end } : null;
    if (value !== null && JSON.stringify(value) !== told) {
      told = JSON.stringify(value);
      model.set('value', value);
      model.save_changes();
    }
  });
  void calendar.fetchRules();
  return {
    element: <Calendar lab={lab} controller={controller} trans={english} />,
    dispose: () => {
      calendar.dispose();
      lab.dispose();
    }
  };
});
