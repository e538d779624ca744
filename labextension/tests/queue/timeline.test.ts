import { describe, expect, it } from 'vitest';

import { drawing } from '../../src/queue/circuit';
import { moved, pulsesIn, timelineOf, zoomed } from '../../src/queue/timeline';

const ROWS = [
  { port: 'q0:mw', qubit: 'q0', kind: 'drive' },
  { port: 'q0:res', qubit: 'q0', kind: 'readout' }
];
const X = { row: 0, label: 'x', kind: 'drive', start_s: 0, duration_s: 20e-9, amplitude: 0.2 };
const READ = { row: 1, label: 'measure', kind: 'readout', start_s: 20e-9, duration_s: 1e-6 };

describe('a timeline', () => {
  it('goes from the end of the reset to what ends last', () => {
    const timeline = timelineOf({ rows: ROWS, pulses: [X, READ], duration_s: 0.5e-6 });
    expect(timeline?.whole[0]).toBe(0);
    expect(timeline?.whole[1]).toBeCloseTo(1.02e-6, 12);
    expect(timeline?.pulses[1]).toMatchObject({ clock: '', amplitude: null, phase_deg: 0 });
  });

  it('takes nothing for granted', () => {
    const odd = [
      { ...X, row: 7 },
      { ...X, start_s: null },
      { ...X, kind: 'laser', duration_s: -1 },
      'x',
      null
    ];
    const timeline = timelineOf({ rows: ROWS, pulses: [...odd, X] });
    expect(timeline?.pulses.map(({ kind, duration_s }) => [kind, duration_s])).toEqual([
      ['other', 0],
      ['drive', 20e-9]
    ]);
    expect(timelineOf({ rows: ROWS, pulses: [] })).toBeNull();
    expect(timelineOf({ rows: 'none', pulses: [X] })).toBeNull();
  });

  it('shows what is within the span that is looked at', () => {
    const timeline = timelineOf({ rows: ROWS, pulses: [X, READ] });
    const labels = (from: number, to: number) =>
      timeline && pulsesIn(timeline, [from, to]).map(pulse => pulse.label);
    expect(labels(0, 1e-6)).toEqual(['x', 'measure']);
    expect(labels(30e-9, 1e-6)).toEqual(['measure']);
    expect(labels(2e-6, 3e-6)).toEqual([]);
  });
});

describe('a look at a timeline', () => {
  it('comes closer around a point, and never sees more than there is', () => {
    expect(zoomed([0, 8], [0, 8], 0.5, 0.25)).toEqual([1, 5]);
    expect(zoomed([1, 5], [0, 8], 2, 0.25)).toEqual([0, 8]);
    expect(zoomed([6, 8], [0, 8], 8)).toEqual([0, 8]);
    const [from, to] = zoomed([0, 2e-9], [0, 8], 0.01);
    expect(to - from).toBeCloseTo(1e-9, 15);
  });

  it('moves as far as the ends', () => {
    expect(moved([2, 4], [0, 8], 0.5)).toEqual([3, 5]);
    expect(moved([2, 4], [0, 8], -5)).toEqual([0, 2]);
    expect(moved([2, 4], [0, 8], 5)).toEqual([6, 8]);
  });
});

describe('a native circuit', () => {
  it('is drawn on the qubits of the device, by their numbers', () => {
    const text =
      'OPENQASM 3.0;\nbit[2] c;\nsx $10;\ndelay[40ns] $2;\ncz $2, $10;\nc[0] = measure $2;\n';
    const drawn = drawing(text);
    expect(drawn?.wires).toEqual(['$2', '$10']);
    expect(drawn?.steps.map(step => [step.label, step.wires])).toEqual([
      ['sx', [1]],
      ['delay', [0]],
      ['z', [0, 1]],
      ['M', [0]]
    ]);
  });
});
