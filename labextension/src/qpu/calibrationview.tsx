import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { LabRequest } from '../request';
import { messageOf } from '../request';
import type { Manifest, Series } from '../wire';
import { edgeParameters, hasMap, type IParameter, qubitParameters } from './calibration';
import { Chart, valued } from './chart';
import { type IQuantity, MOST, startTwin } from './histories';
import type { IHistory } from './model';
import { edgeTable, type ITableRow, qubitTable } from './rows';
import { CalibrationTable, Figure, moment } from './tables';
import type { Span } from './telemetry';
import { Topology } from './topology';

interface IProps {
  readonly manifest: Manifest | null;
  readonly history: IHistory | null;
  /** Show the history of a channel, or of a quantity; null puts it away. */
  readonly onHistory: (what: string | IQuantity | null, label?: string) => void;
  readonly qpu: string;
  /** For those who may start simulators: how to ask the lab. */
  readonly request: LabRequest | null;
  readonly trans: TranslationBundle;
}

/** The topology as a heat map, the same figures as tables, and the history of one. */
export function CalibrationSection(props: IProps): React.ReactElement {
  const { manifest, trans } = props;
  return (
    <section aria-label={trans.__('Calibration')}>
      <h2>{trans.__('Topology and calibration')}</h2>
      {manifest === null ? (
        <p className="jp-QPI-Empty">{trans.__('No data until the QPU’s first driver connects.')}</p>
      ) : !hasMap(manifest) ? (
        <p className="jp-QPI-Empty">
          {trans.__('This QPU reports no gates, couplers or calibration of its own.')}
        </p>
      ) : (
        <Known {...props} manifest={manifest} />
      )}
    </section>
  );
}

function Known(props: IProps & { readonly manifest: Manifest }): React.ReactElement {
  const { manifest, trans } = props;
  const qubits = React.useMemo(() => qubitParameters(manifest, trans), [manifest, trans]);
  const gates = React.useMemo(() => edgeParameters(manifest, trans), [manifest, trans]);
  const [qubitKey, setQubitKey] = React.useState<string | null>(null);
  const [edgeKey, setEdgeKey] = React.useState<string | null>(null);
  const [selected, setSelected] = React.useState<string | null>(null);
  const qubitBy = qubits.find(({ key }) => key === qubitKey) ?? qubits[0] ?? null;
  const edgeBy = gates.find(({ key }) => key === edgeKey) ?? gates[0] ?? null;
  const qubitRows = React.useMemo(() => qubitTable(manifest, trans), [manifest, trans]);
  const edgeRows = React.useMemo(
    () => (edgeBy ? edgeTable(manifest, edgeBy, trans) : null),
    [manifest, edgeBy, trans]
  );
  const chosen = [...qubitRows.rows, ...(edgeRows?.rows ?? [])].find(({ key }) => key === selected);
  const tables = { selected, onSelect: setSelected, onHistory: props.onHistory, trans };
  const quantities: readonly (readonly [IParameter | null, string, string])[] = [
    [qubitBy, qubitBy?.key ?? '', ''],
    [edgeBy, 'error', edgeBy?.key ?? '']
  ];
  return (
    <>
      <Calibrated {...props} />
      <div className="jp-QPI-Toolbar">
        <Choice
          label={trans.__('Qubits by')}
          from={qubits}
          value={qubitBy}
          onChange={setQubitKey}
        />
        <Choice label={trans.__('Couplers by')} from={gates} value={edgeBy} onChange={setEdgeKey} />
        {quantities.map(
          ([by, quantity, gate]) =>
            by !== null && (
              <button
                key={gate}
                type="button"
                className="jp-QPI-Button"
                onClick={() => props.onHistory({ quantity, gate }, by.label)}
              >
                {trans.__('History of %1', by.label)}
              </button>
            )
        )}
      </div>
      {qubits.length === 0 && gates.length === 0 && (
        <p className="jp-QPI-Empty">
          {trans.__('No calibration data reported.', manifest.executor)}
        </p>
      )}
      <div className="jp-QPI-Columns">
        <Topology
          manifest={manifest}
          qubitBy={qubitBy}
          edgeBy={edgeBy}
          selected={selected}
          onSelect={setSelected}
          trans={trans}
        />
        <div className="jp-QPI-Beside">
          <Selected
            row={chosen}
            columns={chosenColumns(chosen, qubitRows.columns, edgeRows?.columns)}
            {...props}
          />
          {props.history && <History {...props} history={props.history} />}
        </div>
      </div>
      <div className="jp-QPI-Columns">
        {qubitRows.rows.length > 0 && (
          <CalibrationTable
            caption={trans.__('Qubits')}
            first={trans.__('Qubit')}
            data={qubitRows}
            {...tables}
          />
        )}
        {edgeRows !== null && (
          <CalibrationTable
            key={edgeBy?.key}
            caption={trans.__('Couplers')}
            first={trans.__('Coupler')}
            data={edgeRows}
            {...tables}
          />
        )}
      </div>
    </>
  );
}

/** Which calibration it is, and a simulator that has its noise. */
function Calibrated(props: IProps & { readonly manifest: Manifest }): React.ReactElement | null {
  const { manifest, qpu, request, trans } = props;
  const [said, setSaid] = React.useState('');
  const start = async (ask: LabRequest): Promise<void> => {
    setSaid(trans.__('Starting…'));
    try {
      setSaid(trans.__('Twin %1 is starting.', await startTwin(ask, qpu)));
    } catch (error) {
      setSaid(messageOf(error));
    }
  };
  return manifest.calibration_id === '' ? null : (
    <div className="jp-QPI-Toolbar">
      <span>
        {trans.__('Calibration')} <code>{manifest.calibration_id}</code>
        {manifest.calibrated_at !== null && `, ${moment(manifest.calibrated_at)}`}
      </span>
      {request !== null && (
        <button
          type="button"
          className="jp-QPI-Button"
          title={trans.__('A simulator with these gates and the noise of this calibration')}
          onClick={() => void start(request)}
        >
          {trans.__('Start a twin')}
        </button>
      )}
      <span role="status" className="jp-QPI-Detail">
        {said}
      </span>
    </div>
  );
}

function chosenColumns(
  row: ITableRow | undefined,
  ofQubits: readonly string[],
  ofEdges: readonly string[] | undefined
): readonly string[] {
  return row?.key.includes('-') ? (ofEdges ?? []) : ofQubits;
}

function Choice(props: {
  readonly label: string;
  readonly from: readonly IParameter[];
  readonly value: IParameter | null;
  readonly onChange: (key: string) => void;
}): React.ReactElement | null {
  return props.from.length === 0 ? null : (
    <label>
      {props.label}{' '}
      <select
        className="jp-QPI-Select"
        value={props.value?.key}
        onChange={event => props.onChange(event.target.value)}
      >
        {props.from.map(({ key, label }) => (
          <option key={key} value={key}>
            {label}
          </option>
        ))}
      </select>
    </label>
  );
}

/** What is known of the qubit or coupler that was picked. */
function Selected(
  props: IProps & { readonly row: ITableRow | undefined; readonly columns: readonly string[] }
): React.ReactElement | null {
  const { row, columns, trans } = props;
  if (row === undefined) {
    return (
      <p className="jp-QPI-Empty">
        {trans.__('Select a qubit or coupler to see its values, and a value to see its history.')}
      </p>
    );
  }
  return (
    <div className="jp-QPI-Selected">
      <h3>{row.name}</h3>
      <dl className="jp-QPI-Facts">
        {row.cells.map((cell, n) => (
          <div key={cell.label}>
            <dt>{columns[n]}</dt>
            <dd>
              <Figure cell={cell} onHistory={props.onHistory} trans={trans} />
            </dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

/** A calibration counts until the next one, the newest until now. */
function held(series: Series, now: number): Series {
  const last = series.points[series.points.length - 1];
  const at = new Date(now).toISOString();
  return last ? { ...series, points: [...series.points, { ...last, at }] } : series;
}

/** From a little before the first calibration until now. */
function spanOf(series: readonly Series[], now: number): Span {
  const times = series.flatMap(({ points }) => points.map(point => Date.parse(point.at)));
  const first = Math.min(now, ...times);
  return [first - Math.max(0.05 * (now - first), 600_000), now];
}

function History(props: IProps & { readonly history: IHistory }): React.ReactElement {
  const { history, trans } = props;
  const all = history.series;
  const series = all?.slice(0, MOST) ?? null;
  const [first] = series?.length === 1 ? series : [];
  const [only] = first?.points ?? [];
  return (
    <section className="jp-QPI-History" aria-label={trans.__('History of %1', history.label)}>
      <div className="jp-QPI-HistoryHead">
        <h3>{trans.__('History of %1', history.label)}</h3>
        <button type="button" className="jp-QPI-Button" onClick={() => props.onHistory(null)}>
          {trans.__('Close')}
        </button>
      </div>
      {series === null && <p className="jp-QPI-Empty">{trans.__('Loading…')}</p>}
      {first && only && (
        <p className="jp-QPI-Detail">
          {first.points.length === 1
            ? trans.__('The same since %1: %2.', moment(only.at), valued(first, only.mean))
            : trans.__('%1 calibrations since %2.', first.points.length, moment(only.at))}
        </p>
      )}
      {all && all.length > MOST && (
        <p className="jp-QPI-Detail">{trans.__('The first %1 of %2.', MOST, all.length)}</p>
      )}
      {series && (
        <Chart
          series={series.map(one => held(one, history.now))}
          span={spanOf(series, history.now)}
          label={trans.__('History of %1', history.label)}
          onZoom={null}
          stepped
          held
          trans={trans}
        />
      )}
    </section>
  );
}
