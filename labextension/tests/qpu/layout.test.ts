import { describe, expect, it } from 'vitest';

import { type Edge, type ILayout, layoutOf, towards, undirected } from '../../src/qpu/layout';

const line = (size: number): Edge[] => Array.from({ length: size - 1 }, (_, n) => [n, n + 1]);

/** IBM's numbering: rows of `width`, every fourth qubit joined to the next row through one more. */
function hexes(rowCount: number, width: number): { size: number; edges: Edge[] } {
  const edges: Edge[] = [];
  let size = 0;
  for (let row = 0; row < rowCount; row += 1) {
    const first = size;
    size += width;
    edges.push(...line(width).map(([a, b]): Edge => [first + a, first + b]));
    if (row < rowCount - 1) {
      const columns = Array.from({ length: width }, (_, n) => n).filter(
        n => n % 4 === (row % 2) * 2
      );
      const bridges = columns.length;
      columns.forEach((column, n) => {
        edges.push([first + column, size + n], [size + n, size + bridges + column]);
      });
      size += bridges;
    }
  }
  return { size, edges };
}

/** No two qubits in one place, and neighbours about a step apart. */
function expectReadable(layout: ILayout): void {
  const { points, edges } = layout;
  points.forEach((one, i) => {
    for (const other of points.slice(i + 1)) {
      expect(Math.hypot(one.x - other.x, one.y - other.y)).toBeGreaterThan(0.5);
    }
  });
  for (const [a, b] of edges) {
    const [one, other] = [points[a], points[b]];
    expect(
      Math.hypot((one?.x ?? 0) - (other?.x ?? 9), (one?.y ?? 0) - (other?.y ?? 9))
    ).toBeLessThan(1.8);
  }
}

describe('layoutOf', () => {
  it('winds a long line and keeps neighbours together', () => {
    expect(layoutOf(5, line(5)).points.map(p => p.x)).toEqual([0, 1, 2, 3, 4]);
    const long = layoutOf(30, line(30));
    expect(long.shape).toBe('line');
    expectReadable(long);
  });

  it('closes a ring', () => {
    const ring = layoutOf(8, [...line(8), [7, 0]]);
    expect(ring.shape).toBe('ring');
    expectReadable(ring);
  });

  it('knows a grid by its numbering', () => {
    const edges: Edge[] = [];
    for (let n = 0; n < 12; n += 1) {
      if (n % 4 < 3) edges.push([n, n + 1]);
      if (n < 8) edges.push([n + 4, n]);
    }
    const found = layoutOf(12, edges);
    expect(found.shape).toBe('grid');
    expect(found.points[6]).toEqual({ x: 2, y: 1 });
    expectReadable(found);
  });

  it('knows a heavy-hex lattice and leaves no edge slanted', () => {
    const { size, edges } = hexes(5, 15);
    const found = layoutOf(size, edges);
    expect(found.shape).toBe('heavy-hex');
    expectReadable(found);
  });

  it('relaxes any other graph, also one in pieces', () => {
    const star = layoutOf(6, [
      [0, 1],
      [0, 2],
      [0, 3],
      [3, 4],
      [3, 5]
    ]);
    expect(star.shape).toBe('graph');
    expectReadable(star);
    expectReadable(
      layoutOf(6, [
        [0, 1],
        [1, 2],
        [2, 0],
        [3, 4],
        [4, 5],
        [5, 3]
      ])
    );
  });

  it('twists no lattice that has another numbering', () => {
    const falcon: Edge[] = [
      [0, 1],
      [1, 2],
      [1, 4],
      [2, 3],
      [3, 5],
      [4, 7],
      [5, 8],
      [6, 7],
      [7, 10],
      [8, 9],
      [8, 11],
      [10, 12],
      [11, 14],
      [12, 13],
      [12, 15],
      [13, 14],
      [14, 16],
      [15, 18],
      [16, 19],
      [17, 18],
      [18, 21],
      [19, 20],
      [19, 22],
      [21, 23],
      [22, 25],
      [23, 24],
      [24, 25],
      [25, 26]
    ];
    const found = layoutOf(27, falcon);
    expectReadable(found);
    const at = (n: number) => found.points[n] ?? { x: 0, y: 0 };
    const side = (a: number, b: number, c: number) =>
      Math.sign(
        (at(b).x - at(a).x) * (at(c).y - at(a).y) - (at(b).y - at(a).y) * (at(c).x - at(a).x)
      );
    const crossings = falcon.flatMap(([a, b]) =>
      falcon.filter(
        ([c, d]) =>
          new Set([a, b, c, d]).size === 4 &&
          side(a, b, c) !== side(a, b, d) &&
          side(c, d, a) !== side(c, d, b)
      )
    );
    expect(crossings).toEqual([]);
  });

  it('draws no edge where every pair is coupled', () => {
    const pairs: Edge[] = [];
    for (let a = 0; a < 20; a += 1) {
      for (let b = 0; b < 20; b += 1) pairs.push([a, b]);
    }
    for (const found of [layoutOf(200, null), layoutOf(20, pairs)]) {
      expect(found.shape).toBe('all-to-all');
      expect(found.edges).toEqual([]);
      expectReadable(found);
    }
  });

  it('survives none, one, and qubits without edges', () => {
    expect(layoutOf(0, null).points).toEqual([]);
    expect(layoutOf(1, []).points).toHaveLength(1);
    expect(layoutOf(4, []).shape).toBe('none');
    expect(layoutOf(2, [[0, 7]]).edges).toEqual([]);
  });

  it('lays a thousand qubits out in no time', () => {
    const { size, edges } = hexes(20, 43);
    const start = performance.now();
    expect(layoutOf(size, edges).points).toHaveLength(size);
    expect(performance.now() - start).toBeLessThan(1000);
  });
});

describe('undirected', () => {
  it('has each pair once, sorted', () => {
    expect(
      undirected([
        [2, 1],
        [1, 2],
        [0, 1],
        [3, 3]
      ])
    ).toEqual([
      [0, 1],
      [1, 2]
    ]);
  });
});

describe('towards', () => {
  it('goes to the nearest in that direction and nowhere past the border', () => {
    const { points } = layoutOf(5, line(5));
    expect(towards(points, 1, { x: 1, y: 0 })).toBe(2);
    expect(towards(points, 1, { x: -1, y: 0 })).toBe(0);
    expect(towards(points, 0, { x: -1, y: 0 })).toBeNull();
    expect(towards(points, 1, { x: 0, y: 1 })).toBeNull();
  });
});
