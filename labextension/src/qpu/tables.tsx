import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { driverState } from '../driverstate';
import type { QpuDriver } from '../wire';
import { formatOf } from '../words';
import { type ICell, type ITableData, sorted } from './rows';

const TONES = { online: 'good', draining: 'waiting', offline: 'bad' } as const;

/** Figures in rows; a click on a heading sorts, one on a figure shows its history. */
export function CalibrationTable(props: {
  readonly caption: string;
  readonly first: string;
  readonly data: ITableData;
  readonly selected: string | null;
  readonly onSelect: (key: string) => void;
  readonly onHistory: (channel: string, label: string) => void;
  readonly trans: TranslationBundle;
}): React.ReactElement {
  const { data, trans } = props;
  const [[column, descending], setOrder] = React.useState<readonly [number, boolean]>([-1, false]);
  const rows = React.useMemo(
    () => sorted(data.rows, column, descending),
    [data.rows, column, descending]
  );
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: so that the keyboard scrolls it
    <section className="jp-QPI-TableFrame" aria-label={props.caption} tabIndex={0}>
      <table className="jp-QPI-Table">
        <caption>{props.caption}</caption>
        <thead>
          <tr>
            {[props.first, ...data.columns].map((label, n) => (
              <Heading
                key={label}
                label={label}
                order={column !== n - 1 ? 'none' : descending ? 'descending' : 'ascending'}
                onSort={() => setOrder([n - 1, column === n - 1 && !descending])}
              />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(row => (
            <tr key={row.key} data-selected={row.key === props.selected}>
              <th scope="row">
                <button
                  type="button"
                  className="jp-QPI-Link"
                  onClick={() => props.onSelect(row.key)}
                >
                  {row.name}
                </button>
              </th>
              {row.cells.map(cell => (
                <td key={cell.label}>
                  <Figure cell={cell} onHistory={props.onHistory} trans={trans} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Heading(props: {
  readonly label: string;
  readonly order: 'none' | 'ascending' | 'descending';
  readonly onSort: () => void;
}): React.ReactElement {
  const signs = { none: '', ascending: ' ▴', descending: ' ▾' };
  return (
    <th scope="col" aria-sort={props.order}>
      <button type="button" className="jp-QPI-Sort" onClick={props.onSort}>
        {props.label}
        <span aria-hidden="true">{signs[props.order]}</span>
      </button>
    </th>
  );
}

/** A figure, and the way to its history. */
export function Figure(props: {
  readonly cell: ICell;
  readonly onHistory: (channel: string, label: string) => void;
  readonly trans: TranslationBundle;
}): React.ReactElement {
  const { channel, label, text } = props.cell;
  return channel === null ? (
    <span>{text}</span>
  ) : (
    <button
      type="button"
      className="jp-QPI-Link"
      title={props.trans.__('History of %1', label)}
      onClick={() => props.onHistory(channel, label)}
    >
      {text}
    </button>
  );
}

/** The QPU's drivers, and the way to their logs for whoever may read them. */
export function DriverTable(props: {
  readonly drivers: readonly QpuDriver[];
  /** Whose log is open. */
  readonly open: string | null;
  readonly onLog?: (driver: string) => void;
  readonly trans: TranslationBundle;
}): React.ReactElement {
  const { drivers, open, onLog, trans } = props;
  const host = drivers.some(driver => driver.host !== null);
  const time = (at: string | null) => (at === null ? trans.__('never') : moment(at));
  return drivers.length === 0 ? (
    <p className="jp-QPI-Empty">{trans.__('No driver is registered for this QPU.')}</p>
  ) : (
    <div className="jp-QPI-TableFrame">
      <table className="jp-QPI-Table">
        <thead>
          <tr>
            <th scope="col">{trans.__('Driver')}</th>
            <th scope="col">{trans.__('Status')}</th>
            <th scope="col">{trans.__('Parallel jobs')}</th>
            <th scope="col">{trans.__('Version')}</th>
            {host && <th scope="col">{trans.__('Host')}</th>}
            <th scope="col">{trans.__('Last heartbeat')}</th>
            <th scope="col">{trans.__('Connected since')}</th>
            {onLog && <th scope="col">{trans.__('Log')}</th>}
          </tr>
        </thead>
        <tbody>
          {drivers.map(driver => {
            const [word, state] = driverState(driver, trans);
            return (
              <tr key={driver.name}>
                <th scope="row">{driver.name}</th>
                <td>
                  <span className="jp-QPI-Pill" data-tone={TONES[state]}>
                    {word}
                  </span>
                </td>
                <td>{driver.monitor ? trans.__('monitor') : driver.places}</td>
                <td>{driver.version || '—'}</td>
                {host && <td>{driver.host || '—'}</td>}
                <td>{time(driver.seen_at)}</td>
                <td>{driver.linked ? time(driver.hello_at) : '—'}</td>
                {onLog && (
                  <td>
                    <button
                      type="button"
                      className="jp-QPI-Link"
                      aria-expanded={open === driver.name}
                      aria-label={trans.__('Log of %1', driver.name)}
                      onClick={() => onLog(driver.name)}
                    >
                      {open === driver.name ? trans.__('Hide') : trans.__('Show')}
                    </button>
                  </td>
                )}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** A moment in the reader's own words, by their clock. */
export function moment(at: string | number): string {
  return formatOf({ dateStyle: 'medium', timeStyle: 'medium' }).format(new Date(at));
}
