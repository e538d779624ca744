import { describe, expect, it } from 'vitest';

import type { IExperiment } from '../../src/drawings';
import { comparedOf } from '../../src/queue/compare';
import { byOutcome } from '../../src/queue/counts';
import {
  colourOf,
  dotsOf,
  errorBarsOf,
  extent,
  heatMapOf,
  linesOf,
  pathOf,
  tableOf
} from '../../src/queue/forms';
import { shownOf } from '../../src/queue/sweeps';

describe('counts by hexadecimal numbers', () => {
  it('are told by their bits, however many', () => {
    const four = { memory_slots: 4 };
    expect(byOutcome({ '0x0': 1, '0x5': 2 }, four)).toEqual({ '0000': 1, '0101': 2 });
    const wide = `0x1${'0'.repeat(25)}`;
    expect(byOutcome({ [wide]: 3 }, { memory_slots: 101 })).toEqual({ [`1${'0'.repeat(100)}`]: 3 });
    const registers: [string, number][] = [
      ['a', 1],
      ['b', 3]
    ];
    expect(byOutcome({ '0x5': 2 }, { ...four, creg_sizes: registers })).toEqual({ '010 1': 2 });
    expect(byOutcome({ '0x5': 2 }, { ...four, creg_sizes: [['a', 1]] })).toEqual({ '0101': 2 });
  });
});

describe('a drawing as its driver said it', () => {
  const lines = {
    draw: 'lines',
    label: 'q0',
    x: [0, 1, 2],
    lines: [{ label: 'I', y: [1, null, 3] }]
  };

  it('is lines with gaps', () => {
    const found = linesOf(lines);
    expect(found).toMatchObject({ x: [0, 1, 2], x_label: '', note: '' });
    expect(found?.lines).toEqual([{ label: 'I', y: [1, null, 3], dots: false }]);
    expect(
      pathOf(
        [0, 1, 2, 3],
        [1, null, 3, 4],
        x => x,
        y => -y
      )
    ).toBe('M0.0 -1.0h0M2.0 -3.0h0L3.0 -4.0');
    expect(extent([2, null, -1])).toEqual([-1, 2]);
  });

  it('is points without a line', () => {
    const [data] =
      linesOf({ ...lines, lines: [{ label: 'data', y: [1], dots: true }] })?.lines ?? [];
    expect(data?.dots).toBe(true);
    expect(
      dotsOf(
        [0, 1, 2],
        [1, null, 3],
        x => x,
        y => y
      )
    ).toBe('M0.0 1.0h0M2.0 3.0h0');
  });

  it('is values over two axes', () => {
    const map = { draw: 'heat_map', label: '', x: [0, 1], y: [5], z: [[0.5, null]], z_label: 'P' };
    expect(heatMapOf(map)).toMatchObject({ x: [0, 1], y: [5], z: [[0.5, null]], z_label: 'P' });
    expect(heatMapOf({ ...map, z: [] })).toBeNull();
    expect(heatMapOf({ ...map, z: [[null, 'x']] })).toBeNull();
    expect([colourOf(0), colourOf(1), colourOf(7)]).toEqual([
      'rgb(68 1 84)',
      'rgb(253 231 37)',
      'rgb(253 231 37)'
    ]);
  });

  it('is values with error bars', () => {
    const points = [{ label: 'ZZ', value: 0.5, error: null }];
    expect(errorBarsOf({ draw: 'error_bars', label: '', points, y_label: 'Value' })).toEqual({
      points,
      x_label: '',
      y_label: 'Value',
      note: ''
    });
  });

  it('is a table of words', () => {
    const table = tableOf({
      draw: 'table',
      label: '',
      columns: ['A', 'B'],
      rows: [['1', '2'], [3]]
    });
    expect(table).toEqual({ columns: ['A', 'B'], rows: [['1', '2'], ['']], note: '' });
  });

  it.each([
    [{}],
    [{ x: 'none', lines: 1 }],
    [{ x: [0], lines: [null, 'I', { y: 5 }] }],
    [{ x: [null], lines: [{ label: 'I', y: [1] }] }],
    [{ points: [], columns: [], rows: {} }]
  ])('is none where it is %j', wrong => {
    const drawing = { draw: 'x', label: '', ...wrong };
    expect([linesOf(drawing), errorBarsOf(drawing), tableOf(drawing)]).toEqual([null, null, null]);
  });
});

describe('the rows of a sweep', () => {
  const row = (circuit: number, place: number | undefined, drawn: boolean): IExperiment => ({
    kind: 'shots',
    circuit,
    ...(place === undefined ? {} : { row: place }),
    meas_level: 2,
    meas_return: 'single',
    truncated: false,
    data: {},
    header: { memory_slots: 1 },
    ...(drawn ? { drawings: [{ draw: 'lines', label: '' }] } : {})
  });

  it('are one result where they are drawn as one', () => {
    const swept = [row(0, 0, true), row(0, 1, false), row(0, 2, false)];
    const others = [row(1, undefined, false), row(2, 0, false), row(2, 1, false)];
    expect(shownOf([...swept, ...others])).toEqual([swept[0], ...others]);
  });
});

describe('results that are compared', () => {
  const plain = { meas_level: 2, meas_return: 'single', truncated: false };
  const counted = (counts: Record<string, number>): IExperiment => ({
    ...plain,
    kind: 'shots',
    data: { counts },
    header: { memory_slots: 2 }
  });
  const curve = (x: number[], y: number[]): IExperiment => ({
    ...counted({ '0x0': 1 }),
    row: 0,
    drawings: [{ draw: 'lines', label: '', x, lines: [{ label: '1', y }], y_label: 'Probability' }]
  });

  it('have their shares and differences in a table', () => {
    const [a, b] = [
      counted({ '0x0': 50, '0x3': 50 }),
      counted({ '0x0': 40, '0x1': 10, '0x3': 50 })
    ];
    expect(
      comparedOf([
        { name: 'a', experiment: a },
        { name: 'b', experiment: b }
      ])
    ).toMatchObject({
      draw: 'table',
      columns: ['', 'a', 'b', 'b − a'],
      rows: [
        ['00', '50.0 %', '40.0 %', '-10.0 %'],
        ['01', '0.0 %', '10.0 %', '+10.0 %'],
        ['11', '50.0 %', '50.0 %', '0.0 %']
      ]
    });
  });

  it('are curves over all their points', () => {
    expect(
      comparedOf([
        { name: 'a', experiment: curve([0, 2], [0, 1]) },
        { name: 'b', experiment: curve([1, 2], [0.5, 0.9]) }
      ])
    ).toMatchObject({
      x: [0, 1, 2],
      lines: [
        { label: 'a', y: [0, null, 1] },
        { label: 'b', y: [null, 0.5, 0.9] }
      ],
      y_label: 'Probability of 1'
    });
  });

  it('have nothing in common where one of them has no counts', () => {
    const nothing = { ...counted({}), data: {} };
    expect(
      comparedOf([
        { name: 'a', experiment: counted({ '0x0': 1 }) },
        { name: 'b', experiment: nothing }
      ])
    ).toBeNull();
  });
});
