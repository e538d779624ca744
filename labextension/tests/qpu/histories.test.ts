import { describe, expect, it } from 'vitest';

import { historyOf, seriesOf, startTwin } from '../../src/qpu/histories';
import type { LabRequest } from '../../src/request';
import type { CalibrationFigure, CalibrationPage } from '../../src/wire';

const figure = (changes: Partial<CalibrationFigure>): CalibrationFigure => ({
  quantity: 't1',
  gate: '',
  qubits: [0],
  value: 1e-4,
  unit: 's',
  ...changes
});

/** Newest first, as the lab gives them. */
const PAGE: CalibrationPage = {
  next: null,
  calibrations: [
    {
      id: 'b',
      at: '2030-01-02T00:00:00Z',
      config_sha256: '',
      figures: [figure({ value: 2e-4 }), figure({ qubits: [1], value: 3e-4 })]
    },
    { id: 'a', at: '2030-01-01T00:00:00Z', config_sha256: '', figures: [figure({})] }
  ]
};
const ERRORS: CalibrationPage = {
  next: null,
  calibrations: [
    {
      id: 'a',
      at: '2030-01-01T00:00:00Z',
      config_sha256: '',
      figures: [
        figure({ quantity: 'error', gate: 'cx', qubits: [0, 1], value: 0.01, unit: '' }),
        figure({ quantity: 'error', gate: 'sx', qubits: [0], value: 0.001, unit: '' })
      ]
    }
  ]
};

describe('histories', () => {
  it('has a series for each qubit, oldest first', () => {
    const found = seriesOf('q', PAGE, '');
    expect(found.map(({ name, unit }) => [name, unit])).toEqual([
      ['q0', 's'],
      ['q1', 's']
    ]);
    expect(found[0]?.points.map(({ mean }) => mean)).toEqual([1e-4, 2e-4]);
    expect(found[1]?.points.map(({ at }) => at)).toEqual(['2030-01-02T00:00:00Z']);
  });

  it('tells gates of one name on couplers from all others', () => {
    const found = seriesOf('q', ERRORS, 'cx');
    expect(found.map(({ name }) => name)).toEqual(['0–1']);
  });

  it('has errors in percent, as the tables do', async () => {
    const request: LabRequest = async <T>() => ERRORS as T;
    const [found] = await historyOf(request, 'q', { quantity: 'error', gate: 'cx' });
    expect([found?.unit, found?.points.map(({ mean }) => mean)]).toEqual(['%', [1]]);
  });

  it('asks for one quantity at once, and for a twin by name', async () => {
    const asked: [string, unknown][] = [];
    const request: LabRequest = async <T>(path: string, init?: RequestInit) => {
      asked.push([path, init?.body]);
      return PAGE as T;
    };
    const found = await historyOf(request, 'a/b', { quantity: 't1', gate: '' });
    expect(found).toHaveLength(2);
    expect(await startTwin(request, 'q1')).toBe('q1-twin');
    expect(asked).toEqual([
      ['qpus/a%2Fb/calibrations?quantity=t1&limit=200', undefined],
      ['simulators', '{"name":"q1-twin","twin_of":"q1"}']
    ]);
  });
});
