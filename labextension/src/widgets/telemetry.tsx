import '../../style/qpu.css';

import type * as React from 'react';

import { useModel } from '../hooks';
import { QpuTabModel } from '../qpu/model';
import { QueueSection, TelemetrySection } from '../qpu/telemetryview';
import { KernelLab } from './lab';
import { anywidget } from './mount';
import { english } from './words';

/** The readings of a QPU, those of its calibration only where they were asked for by name. */
function View(props: { qpu: QpuTabModel; asked: readonly string[] }): React.ReactElement {
  const { asked, qpu } = props;
  const { channels, problem } = useModel(qpu);
  const shown = channels
    .filter(({ name, calibration }) => !calibration || asked.includes(name))
    .map(channel => ({ ...channel, calibration: false }));
  return (
    <section aria-label={english.__('Telemetry of %1', qpu.qpu)}>
      <h1>{qpu.qpu}</h1>
      {problem !== null && <p role="alert">{problem}</p>}
      <TelemetrySection telemetry={qpu.readings} channels={shown} trans={english} />
      <QueueSection telemetry={qpu.queue} trans={english} />
    </section>
  );
}

export default anywidget('TelemetryWidget', 'QpuTab', ({ model, kernel }) => {
  const lab = new KernelLab(kernel, []);
  const asked = model.get('channels') as readonly string[];
  const qpu = new QpuTabModel(lab, String(model.get('qpu')), 'when-hidden', asked);
  const keep = () => {
    const { chosen } = qpu.readings.state;
    if (JSON.stringify(chosen) !== JSON.stringify(model.get('channels'))) {
      model.set('channels', chosen);
      model.save_changes();
    }
  };
  const take = () => {
    const wanted = model.get('channels') as readonly string[];
    if (JSON.stringify(wanted) !== JSON.stringify(qpu.readings.state.chosen)) {
      qpu.readings.choose(wanted);
    }
  };
  qpu.readings.changed.connect(keep);
  model.on('change:channels', take);
  qpu.setVisible(true);
  return {
    element: <View qpu={qpu} asked={asked} />,
    dispose: () => {
      model.off('change:channels', take);
      qpu.dispose();
      lab.dispose();
    }
  };
});
