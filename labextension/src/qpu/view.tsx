import { stamp } from '../words';
import '../../style/common.css';
import '../../style/qpu.css';

import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import * as React from 'react';
import { keepFocus } from '../focus';
import { useLab, useModel } from '../hooks';
import { condition } from '../prospects';
import { qpuState } from '../states';
import type { ILabManager } from '../tokens';
import type { QpuDetail, QpuDriver } from '../wire';
import { CalibrationSection } from './calibrationview';
import { mayReadLogs } from './driverlog';
import { DriverLogView } from './driverlogview';
import { type IQpuTabState, QpuTabModel } from './model';
import { DriverTable } from './tables';
import { QueueSection, TelemetrySection } from './telemetryview';

/** The content of one QPU's tab. */
export class QpuView extends ReactWidget {
  constructor(
    manager: ILabManager,
    readonly qpu: string,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this._manager = manager;
    this._model = new QpuTabModel(manager, qpu);
    this.addClass('jp-QPI-QpuTab');
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
    return <Tab manager={this._manager} model={this._model} trans={this._trans} />;
  }

  private readonly _manager: ILabManager;
  private readonly _model: QpuTabModel;
}

function Tab(props: {
  readonly manager: ILabManager;
  readonly model: QpuTabModel;
  readonly trans: TranslationBundle;
}): React.ReactElement {
  const { manager, model, trans } = props;
  const state = useModel(model);
  const manages = useLab(manager, () => mayStart(manager));
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
          <Header detail={detail} manager={manager} state={state} trans={trans} />
          <CalibrationSection
            manifest={detail.manifest}
            history={state.history}
            onHistory={(what, label) => void model.showHistory(what, label)}
            qpu={model.qpu}
            request={manages ? manager.request : null}
            trans={trans}
          />
          <QueueSection telemetry={model.queue} trans={trans} />
          <TelemetrySection telemetry={model.readings} channels={state.channels} trans={trans} />
          <Drivers manager={manager} qpu={model.qpu} drivers={state.drivers} trans={trans} />
        </>
      )}
    </div>
  );
}

/** Whether whoever uses this page may start simulators. */
function mayStart({ state }: ILabManager): boolean {
  return state.me?.permissions.includes('qpus:manage') ?? false;
}

/** The drivers, and the log of one of them. */
function Drivers(props: {
  readonly manager: ILabManager;
  readonly qpu: string;
  readonly drivers: readonly QpuDriver[];
  readonly trans: TranslationBundle;
}): React.ReactElement {
  const { manager, qpu, drivers, trans } = props;
  const reads = useLab(manager, () => mayReadLogs(manager));
  const [wanted, setWanted] = React.useState<string | null>(null);
  const open = reads && drivers.some(({ name }) => name === wanted) ? wanted : null;
  const toggle = (name: string) => setWanted(open === name ? null : name);
  return (
    <section aria-label={trans.__('Drivers')}>
      <h2>{trans.__('Drivers')}</h2>
      <DriverTable
        drivers={drivers}
        open={open}
        {...(reads ? { onLog: toggle } : {})}
        trans={trans}
      />
      {open !== null && (
        <DriverLogView
          key={open}
          manager={manager}
          qpu={qpu}
          driver={open}
          trans={trans}
          onClose={() => setWanted(null)}
        />
      )}
    </section>
  );
}

function Header(props: {
  readonly detail: QpuDetail;
  readonly manager: ILabManager;
  readonly state: IQpuTabState;
  readonly trans: TranslationBundle;
}): React.ReactElement {
  const { detail, manager, trans } = props;
  const now = manager.now();
  const [word, tone] = qpuState(detail, trans);
  const why = condition(detail, now, trans);
  const version = detail.manifest?.executor_version ?? '';
  const facts: readonly (readonly [string, string])[] = [
    [trans.__('Executor'), detail.executor ? `${detail.executor} ${version}` : '—'],
    [trans.__('Qubits'), detail.num_qubits ? String(detail.num_qubits) : '—'],
    [trans.__('Programs'), detail.manifest?.formats.join(', ') || '—'],
    [trans.__('Parallel jobs'), String(detail.places)],
    [trans.__('In use by'), holder(props.state, now, trans)],
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
        {detail.simulator && <span className="jp-QPI-Pill">{trans.__('Simulator')}</span>}
      </h1>
      {why && <p className="jp-QPI-QpuWhy">{why}</p>}
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

function holder({ booking, detail }: IQpuTabState, now: number, trans: TranslationBundle): string {
  const clock = (at: string) => stamp(at, now);
  const session = detail?.session ?? null;
  if (session !== null) {
    const who = session.mine ? trans.__('you') : (session.holder ?? trans.__('somebody'));
    return trans.__('%1, in a session until %2 at the latest', who, clock(session.until));
  }
  if (booking === null) {
    return detail?.running ? trans.__('the next in the queue') : trans.__('–');
  }
  const until = clock(booking.end_at);
  if (booking.mode === 'maintenance') {
    return trans.__('maintenance, until %1', until);
  }
  return trans.__('%1, until %2', booking.booked_by ?? trans.__('somebody'), until);
}
