import type { TranslationBundle } from '@jupyterlab/translation';
import { quantity } from '../units';
import type { Manifest } from '../wire';
import {
  calibrated,
  edgeFigures,
  type IParameter,
  qubitChannel,
  qubitParameters,
  qubitValue
} from './calibration';
import { edgeKey } from './layout';

export interface ICell {
  readonly value: number | null;
  readonly text: string;
  /** The channel with its history, if the figure has one. */
  readonly channel: string | null;
  readonly label: string;
}

export interface ITableRow {
  readonly key: string;
  readonly name: string;
  readonly cells: readonly ICell[];
}

export interface ITableData {
  readonly columns: readonly string[];
  readonly rows: readonly ITableRow[];
}

/** Every qubit with its figures. */
export function qubitTable(manifest: Manifest, trans: TranslationBundle): ITableData {
  const parameters = qubitParameters(manifest, trans);
  const rows = manifest.qubits.map((_, qubit) => ({
    key: String(qubit),
    name: trans.__('Qubit %1', qubit),
    cells: parameters.map(({ key, unit, label }): ICell => {
      const value = qubitValue(manifest, qubit, key);
      const channel = value === null ? null : qubitChannel(qubit, key);
      return {
        value,
        text: calibrated(value, unit),
        channel,
        label: `${label}, ${trans.__('qubit %1', qubit)}`
      };
    })
  }));
  return { columns: parameters.map(({ label }) => label), rows: parameters.length ? rows : [] };
}

/** Every pair of qubits that a gate is calibrated for. */
export function edgeTable(
  manifest: Manifest,
  gate: IParameter,
  trans: TranslationBundle
): ITableData {
  const rows = [...edgeFigures(manifest, gate.key).values()].map(found => {
    const name = `${found.edge[0]}–${found.edge[1]}`;
    const label = `${gate.label}, ${name}`;
    const error = {
      value: found.error,
      text: calibrated(found.error, ''),
      channel: found.channel,
      label
    };
    const known = found.duration_s !== null;
    const duration = {
      value: found.duration_s,
      text: quantity(found.duration_s, 's'),
      channel: known ? found.channel.replace(/error$/, 'duration') : null,
      label: trans.__('%1 duration, %2', gate.key, name)
    };
    return {
      key: edgeKey(found.edge),
      name: trans.__('Coupler %1', name),
      cells: [error, duration]
    };
  });
  return { columns: [gate.label, trans.__('Duration')], rows };
}

/** The rows by a column's values, those without one last; column -1 is the order of the manifest. */
export function sorted(
  rows: readonly ITableRow[],
  column: number,
  descending: boolean
): readonly ITableRow[] {
  const sign = descending ? -1 : 1;
  if (column < 0) {
    return descending ? [...rows].reverse() : rows;
  }
  const value = (row: ITableRow) => row.cells[column]?.value ?? null;
  return [...rows].sort((one, other) => {
    const [a, b] = [value(one), value(other)];
    if (a === null || b === null) {
      return Number(a === null) - Number(b === null);
    }
    return sign * (a - b);
  });
}
