import '../../style/qpu.css';

import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import type * as React from 'react';
import { keepFocus } from '../focus';
import { qpuRow } from '../rows';
import type { ILabManager } from '../tokens';
import type { QpuDetail } from '../wire';
import { CalibrationSection } from './calibrationview';
import { type IQpuTabState, QpuTabModel } from './model';
import { DriverTable } from './tables';
import { QueueSection, TelemetrySection } from './telemetryview';
import { useSignal } from './usesignal';

/** The content of one QPU's tab. */
export class QpuView extends ReactWidget {
  constructor(
    manager: ILabManager,
    readonly qpu: string,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this._model = new QpuTabModel(manager, qpu);
    this.addClass('jp-QPI-QpuTab');
    this.node.tabIndex = -1;
    keepFocus(this.node, () => this.node);
  }

  override dispose(): void {
    this._model.dispose();
    super.dispose();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._model.setVisible(true);
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._model.setVisible(this.isVisible);
  }

  protected override onBeforeHide(message: Message): void {
    this._model.setVisible(false);
    super.onBeforeHide(message);
  }

  protected override onActivateRequest(): void {
    this.node.focus();
  }

  protected override render(): React.ReactElement {
    return <Tab model={this._model} trans={this._trans} />;
  }

  private readonly _model: QpuTabModel;
}

function Tab(props: {
  readonly model: QpuTabModel;
  readonly trans: TranslationBundle;
}): React.ReactElement {
  const { model, trans } = props;
  const state = useSignal(model.changed, () => model.state);
  const { detail, problem } = state;
  return (
    <div className="jp-QPI-QpuPage">
      <div role="status" className="jp-QPI-QpuNote">
        {detail === null && problem === null && trans.__('Looking for the QPU…')}
        {problem !== null && (
          <>
            <strong>{trans.__('What is shown may be old.')}</strong> {problem}{' '}
            <button type="button" className="jp-QPI-Button" onClick={() => void model.refresh()}>
              {trans.__('Try again')}
            </button>
          </>
        )}
      </div>
      {detail !== null && (
        <>
          <Header detail={detail} state={state} trans={trans} />
          <CalibrationSection
            manifest={detail.manifest}
            history={state.history}
            onHistory={(channel, label) => void model.showHistory(channel, label)}
            trans={trans}
          />
          <QueueSection telemetry={model.queue} trans={trans} />
          <TelemetrySection telemetry={model.readings} channels={state.channels} trans={trans} />
          <section aria-label={trans.__('Drivers')}>
            <h2>{trans.__('Drivers')}</h2>
            <DriverTable drivers={state.drivers} trans={trans} />
          </section>
        </>
      )}
    </div>
  );
}

function Header(props: {
  readonly detail: QpuDetail;
  readonly state: IQpuTabState;
  readonly trans: TranslationBundle;
}): React.ReactElement {
  const { detail, trans } = props;
  const { state: word, tone } = qpuRow(detail, trans);
  const version = detail.manifest?.executor_version ?? '';
  const facts: readonly (readonly [string, string])[] = [
    [trans.__('Executor'), detail.executor ? `${detail.executor} ${version}` : '—'],
    [trans.__('Qubits'), detail.num_qubits ? String(detail.num_qubits) : '—'],
    [trans.__('Places'), String(detail.places)],
    [trans.__('Who has it'), holder(props.state, trans)],
    [trans.__('Running'), String(detail.running)],
    [trans.__('Waiting'), String(detail.queued)]
  ];
  return (
    <div className="jp-QPI-QpuHead">
      <h1>
        <span className="jp-QPI-QpuName">{detail.name}</span>
        <span className="jp-QPI-Pill" data-tone={tone}>
          {word}
        </span>
        {detail.simulator && <span className="jp-QPI-Pill">{trans.__('simulator')}</span>}
      </h1>
      {detail.description && <p>{detail.description}</p>}
      <dl className="jp-QPI-Facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function holder({ booking, detail }: IQpuTabState, trans: TranslationBundle): string {
  if (booking === null) {
    return detail?.running ? trans.__('whoever is next in the queue') : trans.__('nobody');
  }
  const until = new Date(booking.end_at).toLocaleTimeString(undefined, { timeStyle: 'short' });
  if (booking.mode === 'maintenance') {
    return trans.__('maintenance, until %1', until);
  }
  return trans.__('%1, until %2', booking.booked_by ?? trans.__('somebody'), until);
}
