import { nullTranslator } from '@jupyterlab/translation';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  calibrated,
  edgeFigures,
  edgeParameters,
  hasMap,
  qubitParameters
} from '../../src/qpu/calibration';
import { scaleOf } from '../../src/qpu/colours';
import { QpuTabModel } from '../../src/qpu/model';
import { edgeTable, qubitTable, sorted } from '../../src/qpu/rows';
import { Telemetry, unitsOf, withGaps } from '../../src/qpu/telemetry';
import type { LabRequest } from '../../src/request';
import type { ILabManager, ILabState } from '../../src/tokens';
import { digits, quantity } from '../../src/units';
import type { GateProperties, Manifest, QubitProperties, Series } from '../../src/wire';
import { FakeEvents } from '../faults';

const trans = nullTranslator.load('qpi-jupyter');
const START = Date.parse('2030-01-01T00:00:00Z');

const qubit = (changes: Partial<QubitProperties> = {}): QubitProperties => ({
  t1_s: null,
  t2_s: null,
  frequency_hz: null,
  readout_error: null,
  ...changes
});

const gate = (qubits: readonly number[], error: number | null): GateProperties => ({
  gate: 'cx',
  qubits,
  duration_s: 3e-7,
  error
});

const chip = (changes: Partial<Manifest> = {}): Manifest => ({
  executor: 'fake',
  executor_version: '1',
  num_qubits: 3,
  basis_gates: ['cx'],
  coupling_map: [
    [0, 1],
    [1, 2]
  ],
  formats: [],
  format_facts: [],
  meas_levels: [2],
  meas_returns: [],
  max_shots: 1,
  simulator: false,
  control_flow: false,
  mid_circuit_measurement: true,
  dt_s: null,
  gates: [gate([0, 1], 0.02), gate([1, 0], 0.01), gate([1, 2], 0.03), gate([2], 0.5)],
  qubits: [qubit({ t1_s: 1e-4 }), qubit({ t1_s: 3e-4 }), qubit()],
  options: [],
  option_schemas: {},
  calibration_id: '',
  calibrated_at: null,
  config_sha256: '',
  description: '',
  ...changes
});

const series = (seconds: readonly number[], changes: Partial<Series> = {}): Series => ({
  qpu: 'q',
  name: 'driver/cpu',
  unit: '%',
  width_s: 0,
  points: seconds.map(second => ({
    at: new Date(1000 * second).toISOString(),
    mean: second,
    lowest: second,
    highest: second,
    n: 1
  })),
  ...changes
});

/** A lab that gives every channel one reading, and remembers what it was asked. */
class FakeLab {
  readonly asked: string[] = [];
  readonly events = new FakeEvents();
  refusal: string | null = null;
  channels = ['driver/cpu'];

  readonly request: LabRequest = async <T>(path: string) => {
    this.asked.push(path);
    await this._held;
    if (this.refusal !== null) {
      throw new Error(this.refusal);
    }
    const [place = '', query] = path.split('?');
    const name = new URLSearchParams(query).get('channel') ?? '';
    const channel = (name: string) => ({
      name,
      unit: '%',
      calibration: false,
      value: name === 'broken' ? null : 1,
      at: ''
    });
    const answers: Readonly<Record<string, unknown>> = {
      readings: series([START / 1000], { name }),
      drivers: { drivers: [] },
      channels: { channels: this.channels.map(channel) },
      bookings: { bookings: [], next: null, cut_at: null }
    };
    return (answers[place.split('/').pop() ?? ''] ?? { name: 'a/b' }) as T;
  };

  hold(): () => void {
    let release = () => {};
    this._held = new Promise(resolve => {
      release = resolve;
    });
    return () => release();
  }

  manager(): ILabManager {
    return {
      request: this.request,
      follow: this.events.follow,
      state: {} as ILabState,
      now: () => Date.now()
    } as unknown as ILabManager;
  }

  readings(): string[] {
    return this.asked.filter(path => path.includes('/readings?'));
  }

  private _held: Promise<void> = Promise.resolve();
}

describe('calibration', () => {
  it('has a map only where the QPU says what its qubits do', () => {
    expect(hasMap(chip({ basis_gates: [], coupling_map: null }))).toBe(false);
    expect(hasMap(chip({ coupling_map: null }))).toBe(true);
    expect(hasMap(chip({ basis_gates: [] }))).toBe(true);
  });

  it('offers what is known of some qubit or pair, and nothing else', () => {
    expect(qubitParameters(chip(), trans).map(({ key }) => key)).toEqual(['t1']);
    expect(edgeParameters(chip(), trans).map(({ key }) => key)).toEqual(['cx']);
    expect(qubitParameters(chip({ qubits: [], gates: [] }), trans)).toEqual([]);
  });

  it('takes the better direction of a pair and names its own channel', () => {
    const found = edgeFigures(chip(), 'cx');
    expect([...found.keys()]).toEqual(['0-1', '1-2']);
    expect(found.get('0-1')).toMatchObject({ error: 0.01, channel: 'cx/1-0/error' });
  });

  it('sorts by value, with what is unknown last either way', () => {
    const { rows } = qubitTable(chip(), trans);
    expect(sorted(rows, 0, true).map(row => row.key)).toEqual(['1', '0', '2']);
    expect(sorted(rows, 0, false).map(row => row.key)).toEqual(['0', '1', '2']);
    expect(sorted(rows, -1, true).map(row => row.key)).toEqual(['2', '1', '0']);
    const [parameter] = edgeParameters(chip(), trans);
    expect(parameter && edgeTable(chip(), parameter, trans).rows[0]?.cells[1]?.text).toBe('300 ns');
  });

  it('writes figures as people do', () => {
    expect(quantity(1.23456e-4, 's')).toBe('123.5 µs');
    expect(quantity(7200, 's')).toBe('7200 s');
    expect(quantity(5.1e9, 'Hz')).toBe('5.1 GHz');
    expect(quantity(0, 's')).toBe('0 s');
    expect(quantity(null, 's')).toBe('—');
    expect(quantity(42, '%')).toBe('42 %');
    expect(calibrated(0.0123, '')).toBe('1.23 %');
    expect(digits(1.5e-7)).toBe('1.50 × 10^−7');
  });

  it('spreads wide values by their logarithm', () => {
    expect(scaleOf([1, 2, 3])?.share(2)).toBe(0.5);
    expect(scaleOf([0.001, 0.01, 0.1])).toMatchObject({ logarithmic: true });
    expect(scaleOf([0.001, 0.01, 0.1])?.share(0.01)).toBeCloseTo(0.5);
    expect(scaleOf([5, 5])?.share(5)).toBe(0.5);
    expect(scaleOf([Number.NaN])).toBeNull();
  });
});

describe('withGaps', () => {
  it('breaks the line where readings failed to come', () => {
    const [times, values] = withGaps(series([0, 2, 4, 6, 60, 62]));
    expect(times).toEqual([0, 2, 4, 6, 8, 60, 62]);
    expect(values).toEqual([0, 2, 4, 6, null, 60, 62]);
    expect(withGaps(series([]))).toEqual([[], []]);
  });

  it('counts units once', () => {
    expect(unitsOf([{ unit: '%' }, { unit: 'B' }, { unit: '%' }])).toEqual(['%', 'B']);
  });
});

describe('Telemetry', () => {
  let lab: FakeLab;
  let telemetry: Telemetry;

  beforeEach(() => {
    vi.useFakeTimers({ now: START });
    lab = new FakeLab();
    const { request } = lab;
    telemetry = new Telemetry({
      request,
      qpu: 'a/b',
      now: Date.now,
      chosen: ['x', 'y'],
      standby: 'never'
    });
  });

  afterEach(() => {
    telemetry.dispose();
    vi.useRealTimers();
  });

  it('asks for its channels about every two seconds, only while somebody looks', async () => {
    await vi.advanceTimersByTimeAsync(10_000);
    expect(lab.asked).toEqual([]);
    telemetry.setVisible(true);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(lab.asked.length).toBeGreaterThanOrEqual(8);
    expect(lab.asked.length).toBeLessThanOrEqual(14);
    expect(lab.asked[0]).toContain('qpus/a%2Fb/readings?channel=x&start=2029-12-31T23%3A45');
    expect(telemetry.state.series.map(({ name }) => name)).toEqual(['x', 'y']);
    telemetry.setVisible(false);
    await vi.advanceTimersByTimeAsync(10);
    const before = lab.asked.length;
    await vi.advanceTimersByTimeAsync(20_000);
    expect(lab.asked.length).toBe(before);
  });

  it('looks once at a part of the past and follows again afterwards', async () => {
    telemetry.setVisible(true);
    await vi.advanceTimersByTimeAsync(10);
    telemetry.zoom([START - 60_000, START - 30_000]);
    await vi.advanceTimersByTimeAsync(20);
    const before = lab.asked.length;
    expect(lab.asked[before - 1]).toContain('end=2029-12-31T23%3A59%3A30');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(lab.asked.length).toBe(before);
    telemetry.zoomBy(2);
    expect(telemetry.state.zoom).toEqual([START - 90_000, START - 30_000]);
    telemetry.zoom(null);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(lab.asked.length).toBeGreaterThan(before + 2);
    expect(telemetry.state.span[1]).toBeGreaterThan(START);
  });

  it('shows what was asked last, whatever is answered last', async () => {
    const answer = lab.hold();
    telemetry.setVisible(true);
    await vi.advanceTimersByTimeAsync(10);
    telemetry.choose(['z']);
    telemetry.setRange('1h');
    answer();
    await vi.advanceTimersByTimeAsync(100);
    expect(telemetry.state.series.map(({ name }) => name)).toEqual(['z']);
    const [start, end] = telemetry.state.span;
    expect(end - start).toBe(3_600_000);
  });

  it("says the lab's reason and keeps what it knew", async () => {
    telemetry.setVisible(true);
    await vi.advanceTimersByTimeAsync(10);
    lab.refusal = 'no such channel';
    await vi.advanceTimersByTimeAsync(5_000);
    expect(telemetry.state.problem).toBe('no such channel');
    expect(telemetry.state.series).toHaveLength(2);
    lab.refusal = null;
    // After refusals it asks less often, at the latest every 30 seconds.
    await vi.advanceTimersByTimeAsync(31_000);
    expect(telemetry.state.problem).toBeNull();
  });
});

describe('QpuTabModel', () => {
  let lab: FakeLab;
  let model: QpuTabModel;

  beforeEach(async () => {
    vi.useFakeTimers({ now: START });
    lab = new FakeLab();
    model = new QpuTabModel(lab.manager(), 'a/b', 'never');
    model.setVisible(true);
    await vi.advanceTimersByTimeAsync(10);
  });

  afterEach(() => {
    model.dispose();
    vi.useRealTimers();
  });

  const asked = () => lab.asked.filter(path => path === 'qpus/a%2Fb').length;
  it('shows its QPU and begins with a channel that there is', () => {
    expect(model.state).toMatchObject({ detail: { name: 'a/b' }, problem: null });
    expect(model.readings.state.chosen).toEqual(['driver/cpu']);
  });

  it('begins with what its instruments read, where they do', async () => {
    const cold = new FakeLab();
    cold.channels = ['broken', 'driver/cpu', 'lab/queued', 'mxc/temperature', 'still/temperature'];
    const other = new QpuTabModel(cold.manager(), 'cold', 'never');
    other.setVisible(true);
    await vi.advanceTimersByTimeAsync(10);
    expect(other.readings.state.chosen).toEqual(['mxc/temperature']);
    other.dispose();
  });

  it('asks at once when its own QPU changed, and not for others', async () => {
    const before = asked();
    lab.events.say({ kind: 'qpu.changed', qpu: 'c' });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(asked()).toBe(before);
    lab.events.say({ kind: 'qpu.changed', qpu: 'a/b' });
    lab.events.say({ kind: 'qpu.changed', qpu: 'a/b' });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(asked()).toBe(before + 1);
  });

  it('is silent while its tab is hidden and after its end', async () => {
    model.setVisible(false);
    await vi.advanceTimersByTimeAsync(10);
    const before = lab.asked.length;
    lab.events.say({ kind: 'qpu.changed', qpu: 'a/b' });
    await vi.advanceTimersByTimeAsync(60_000);
    model.dispose();
    model.setVisible(true);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lab.asked.length).toBe(before);
  });

  it('keeps the history that was asked for last', async () => {
    const answer = lab.hold();
    const first = model.showHistory('q0/t1', 'T1, qubit 0');
    const second = model.showHistory('q1/t1', 'T1, qubit 1');
    answer();
    await vi.advanceTimersByTimeAsync(10);
    await Promise.all([first, second]);
    expect(model.state.history).toMatchObject({
      label: 'T1, qubit 1',
      series: [{ name: 'q1/t1' }]
    });
    const before = lab.asked.length;
    model.setVisible(true);
    lab.events.say({ kind: 'qpu.calibrated', qpu: 'a/b' });
    await vi.advanceTimersByTimeAsync(10);
    const again = lab.asked.slice(before).filter(path => path.includes('channel=q1%2Ft1'));
    expect(again).toHaveLength(1);
    await model.showHistory(null);
    expect(model.state.history).toBeNull();
  });

  it('says what went wrong and keeps what it knew', async () => {
    lab.refusal = 'The lab is closing.';
    await model.refresh();
    expect(model.state).toMatchObject({ detail: { name: 'a/b' }, problem: 'The lab is closing.' });
  });
});
