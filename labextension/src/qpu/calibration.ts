import type { TranslationBundle } from '@jupyterlab/translation';
import { percent, quantity } from '../units';
import type { Manifest, QubitProperties } from '../wire';
import { type Edge, edgeKey } from './layout';

/** A figure that qubits or pairs of qubits have. */
export interface IParameter {
  /** As in the channel's name: `t1`, or a gate's name. */
  readonly key: string;
  readonly label: string;
  readonly unit: string;
}

type QubitKey = 't1' | 't2' | 'frequency' | 'readout_error';

const FIELDS: Record<QubitKey, keyof QubitProperties> = {
  t1: 't1_s',
  t2: 't2_s',
  frequency: 'frequency_hz',
  readout_error: 'readout_error'
};

/** Whether it says what its qubits do: a QPU whose programs name their own backends, say, does not. */
export function hasMap({ basis_gates, coupling_map }: Manifest): boolean {
  return basis_gates.length > 0 || coupling_map !== null;
}

/** What is known of some qubit. */
export function qubitParameters(manifest: Manifest, trans: TranslationBundle): IParameter[] {
  const all: (IParameter & { readonly key: QubitKey })[] = [
    { key: 't1', label: trans.__('T1'), unit: 's' },
    { key: 't2', label: trans.__('T2'), unit: 's' },
    { key: 'frequency', label: trans.__('Frequency'), unit: 'Hz' },
    { key: 'readout_error', label: trans.__('Readout error'), unit: '' }
  ];
  return all.filter(({ key }) => manifest.qubits.some(qubit => qubit[FIELDS[key]] !== null));
}

/** The gates of two qubits whose error is known. */
export function edgeParameters(manifest: Manifest, trans: TranslationBundle): IParameter[] {
  const gates = manifest.gates.filter(gate => gate.qubits.length === 2 && gate.error !== null);
  return [...new Set(gates.map(gate => gate.gate))].map(gate => ({
    key: gate,
    label: trans.__('%1 error', gate),
    unit: ''
  }));
}

export function qubitValue(manifest: Manifest, qubit: number, key: string): number | null {
  const field = FIELDS[key as QubitKey];
  return (field && manifest.qubits[qubit]?.[field]) ?? null;
}

export function qubitChannel(qubit: number, key: string): string {
  return `q${qubit}/${key}`;
}

/** One gate on one pair of qubits, in the direction in which it is calibrated. */
export interface IEdgeFigure {
  readonly edge: Edge;
  readonly error: number;
  readonly duration_s: number | null;
  readonly channel: string;
}

/** A gate's figures by the pair; of the two directions the better one. */
export function edgeFigures(manifest: Manifest, gate: string): Map<string, IEdgeFigure> {
  const found = new Map<string, IEdgeFigure>();
  for (const { gate: name, qubits, error, duration_s } of manifest.gates) {
    const [a, b] = qubits;
    if (
      name === gate &&
      a !== undefined &&
      b !== undefined &&
      qubits.length === 2 &&
      error !== null
    ) {
      const key = edgeKey([a, b]);
      const known = found.get(key);
      if (known === undefined || error < known.error) {
        found.set(key, { edge: [a, b], error, duration_s, channel: `${gate}/${a}-${b}/error` });
      }
    }
  }
  return found;
}

/** A calibrated figure for people: an error rate in percent. */
export function calibrated(value: number | null, unit: string): string {
  return value !== null && unit === '' ? percent(value) : quantity(value, unit);
}
