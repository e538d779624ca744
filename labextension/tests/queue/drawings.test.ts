import { describe, expect, it } from 'vitest';

import { byOutcome } from '../../src/queue/counts';
import { errorBarsOf, extent, linesOf, pathOf, tableOf } from '../../src/queue/forms';

describe('counts by hexadecimal numbers', () => {
  it('are told by their bits, however many', () => {
    expect(byOutcome({ '0x0': 1, '0x5': 2 }, 4)).toEqual({ '0000': 1, '0101': 2 });
    const wide = `0x1${'0'.repeat(25)}`;
    expect(byOutcome({ [wide]: 3 }, 101)).toEqual({ [`1${'0'.repeat(100)}`]: 3 });
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
    expect(found?.lines).toEqual([{ label: 'I', y: [1, null, 3] }]);
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
