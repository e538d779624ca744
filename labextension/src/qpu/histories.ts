import type { LabRequest } from '../request';
import { at, send } from '../send';
import type { CalibrationPage, Series, SimulatorList } from '../wire';

/** So many qubits or couplers are drawn: more lines nobody tells apart. */
export const MOST = 12;

/** A quantity of all qubits, or of a gate on all couplers. */
export interface IQuantity {
  /** As in a channel's name: `t1`, or `error`. */
  readonly quantity: string;
  /** Empty for qubits. */
  readonly gate: string;
}

/** A quantity over all calibrations of a QPU that are kept: a series each qubit or coupler, the oldest value first. */
export async function historyOf(
  request: LabRequest,
  qpu: string,
  { quantity, gate }: IQuantity
): Promise<readonly Series[]> {
  const query = new URLSearchParams({ quantity, limit: '200' });
  const page = await request<CalibrationPage>(`${at('qpus', qpu, 'calibrations')}?${query}`);
  return seriesOf(qpu, page, gate).map(series => inPercent(quantity, series));
}

/** Errors in percent, as the map and the tables have them. */
export function inPercent(quantity: string, series: Series): Series {
  if (series.unit !== '' || !/(^|\/)(readout_)?error$/.test(quantity)) {
    return series;
  }
  const points = series.points.map(point => ({
    ...point,
    mean: 100 * point.mean,
    lowest: 100 * point.lowest,
    highest: 100 * point.highest
  }));
  return { ...series, unit: '%', points };
}

export function seriesOf(qpu: string, page: CalibrationPage, gate: string): readonly Series[] {
  const found = new Map<string, Series>();
  for (const { at: time, figures } of [...page.calibrations].reverse()) {
    for (const figure of figures) {
      if (figure.gate === gate && figure.qubits.length === (gate === '' ? 1 : 2)) {
        const name = gate === '' ? `q${figure.qubits[0]}` : figure.qubits.join('–');
        const { unit, value } = figure;
        const point = { at: time, mean: value, lowest: value, highest: value, n: 1 };
        const known = found.get(name) ?? { qpu, name, unit, width_s: 0, points: [] };
        found.set(name, { ...known, points: [...known.points, point] });
      }
    }
  }
  return [...found.values()];
}

/** Start a simulator with the gates of a QPU and the noise of its present calibration; its name. */
export async function startTwin(request: LabRequest, qpu: string): Promise<string> {
  const name = `${qpu}-twin`;
  await send<SimulatorList>(request, 'POST', 'simulators', { name, twin_of: qpu });
  return name;
}
