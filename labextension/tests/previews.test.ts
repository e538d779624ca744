import { describe, expect, it } from 'vitest';

import { previewed, submission } from '../src/around/submission';
import { readPreview, readPreviewOutput } from '../src/outputs/preview';

const CIRCUIT = {
  name: 'bell',
  native: 'OPENQASM 3.0;',
  problem: '',
  shots: 100,
  duration_s: 1e-6,
  reset_s: 2e-4,
  rows: [{ port: 'q0:mw', qubit: 'q0', kind: 'drive' }],
  pulses: [{ row: 0, label: 'x', kind: 'drive', start_s: 0, duration_s: 2e-8 }],
  total_pulses: 3,
  warnings: ['q0 decays.']
};
const PREVIEW = {
  qpu: 'q1',
  circuits: [CIRCUIT],
  total: 1,
  estimate_s: 2,
  upper_s: 20,
  charge: { account: 'ann', seconds: 2, available_s: 1, covered: false },
  booking: { mine: true, end_at: '2030-01-01T10:00:00Z', left_s: 60, fits: 'likely' }
};

describe('what a notebook holds of a preview', () => {
  it('is read with its timeline, and says what is left out', () => {
    const preview = readPreviewOutput({ v: 1, preview: PREVIEW });
    expect(preview).toMatchObject({ qpu: 'q1', charge: PREVIEW.charge, booking: PREVIEW.booking });
    expect(preview?.circuits[0]?.timeline).toMatchObject({ total: 3, note: '' });
    expect(preview?.circuits[0]?.warnings).toEqual(['q0 decays.']);
  });

  it('may be anything', () => {
    const odd = {
      circuits: [null, { native: 7, warnings: [1], rows: {} }],
      charge: 5,
      booking: 'x'
    };
    expect(readPreview(odd)).toMatchObject({
      circuits: [{ native: '', warnings: [], timeline: null, duration_s: null }],
      charge: { covered: true, available_s: null },
      booking: null
    });
    for (const none of [null, 1, {}, { circuits: [] }]) {
      expect(readPreview(none)).toBeNull();
    }
    expect(readPreviewOutput({ v: 2, preview: PREVIEW })).toBeNull();
  });
});

it('a preview asks about the program that a submit would send', () => {
  const choice = { qpu: 'q1', shots: 7 };
  const { program, options } = submission('a/bell.qasm', 'OPENQASM 2.0;', choice);
  expect(previewed('OPENQASM 2.0;', choice)).toEqual({ program, options });
});
