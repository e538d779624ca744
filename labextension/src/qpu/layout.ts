/** Where the qubits of a topology are drawn. Lengths are in steps between neighbours. */

export type Edge = readonly [number, number];

export interface IPoint {
  readonly x: number;
  readonly y: number;
}

type Shape = 'all-to-all' | 'line' | 'ring' | 'grid' | 'heavy-hex' | 'graph' | 'none';

export interface ILayout {
  readonly shape: Shape;
  readonly points: readonly IPoint[];
  /** What is drawn between the qubits; of all-to-all there is nothing to see. */
  readonly edges: readonly Edge[];
}

/** From this number of qubits on, a graph is spread over a grid instead of being relaxed. */
const RELAXED = 300;
const LINE_WIDTH = 12;

/** Each pair once, the lower qubit first, by number. */
export function undirected(pairs: readonly Edge[]): Edge[] {
  const found = new Map<string, Edge>();
  for (const [a, b] of pairs) {
    if (a !== b) {
      found.set(edgeKey([a, b]), a < b ? [a, b] : [b, a]);
    }
  }
  return [...found.values()].sort((one, other) => one[0] - other[0] || one[1] - other[1]);
}

export function edgeKey([a, b]: readonly number[] | Edge): string {
  return `${Math.min(a ?? 0, b ?? 0)}-${Math.max(a ?? 0, b ?? 0)}`;
}

/** A layout of `size` qubits; `coupling` is null where every pair is coupled. */
export function layoutOf(size: number, coupling: readonly Edge[] | null): ILayout {
  const edges = undirected(coupling ?? []).filter(([, b]) => b < size);
  const complete = coupling === null || (size > 4 && edges.length === (size * (size - 1)) / 2);
  if (complete) {
    return { shape: 'all-to-all', points: size <= 40 ? circle(size) : rows(size), edges: [] };
  }
  if (edges.length === 0) {
    return { shape: 'none', points: rows(size), edges };
  }
  const found = chain(size, edges) ?? grid(size, edges) ?? heavyHex(size, edges);
  if (found) {
    return { ...found, edges };
  }
  const points = size <= RELAXED ? relaxed(size, neighbours(size, edges)) : rows(size);
  return { shape: 'graph', points, edges };
}

function neighbours(size: number, edges: readonly Edge[]): number[][] {
  const lists: number[][] = Array.from({ length: size }, () => []);
  for (const [a, b] of edges) {
    lists[a]?.push(b);
    lists[b]?.push(a);
  }
  return lists;
}

/** Around a circle from the top, about a step and a half apart. */
function circle(size: number): IPoint[] {
  const radius = Math.max(1, (1.5 * size) / (2 * Math.PI));
  return Array.from({ length: size }, (_, n) => {
    const angle = (2 * Math.PI * n) / size - Math.PI / 2;
    return { x: radius * Math.cos(angle), y: radius * Math.sin(angle) };
  });
}

function rows(size: number, width = Math.ceil(Math.sqrt(1.6 * size))): IPoint[] {
  return Array.from({ length: size }, (_, n) => ({ x: n % width, y: Math.floor(n / width) }));
}

type Found = Pick<ILayout, 'shape' | 'points'>;

/** One line, in windings if it is long, or one ring. */
function chain(size: number, edges: readonly Edge[]): Found | null {
  const next = neighbours(size, edges);
  if (next.some(list => list.length > 2 || list.length === 0)) {
    return null;
  }
  const end = next.findIndex(list => list.length === 1);
  const order: number[] = [];
  const seen = new Set<number>();
  for (let at: number | undefined = Math.max(end, 0); at !== undefined; ) {
    order.push(at);
    seen.add(at);
    at = next[at]?.find(other => !seen.has(other));
  }
  if (order.length !== size) {
    return null; // several pieces
  }
  const around = circle(size);
  const points: IPoint[] = new Array<IPoint>(size);
  order.forEach((qubit, n) => {
    const y = Math.floor(n / LINE_WIDTH);
    const x = n % LINE_WIDTH;
    const wound = { x: y % 2 ? LINE_WIDTH - 1 - x : x, y };
    points[qubit] = end < 0 ? (around[n] ?? wound) : wound;
  });
  return { shape: end < 0 ? 'ring' : 'line', points };
}

/** Qubits numbered row by row, each coupled only to those beside, above and below it. */
function grid(size: number, edges: readonly Edge[]): Found | null {
  const width = Math.max(...edges.map(([a, b]) => b - a));
  const fits = edges.every(
    ([a, b]) => b - a === width || (b - a === 1 && Math.floor(a / width) === Math.floor(b / width))
  );
  const height = Math.ceil(size / width);
  const whole = size * 2 - width - height; // of a full rectangle
  if (width < 2 || !fits || edges.length < 0.85 * whole) {
    return null;
  }
  return { shape: 'grid', points: rows(size, width) };
}

interface IRow {
  readonly first: number;
  readonly last: number;
}

/** Long rows of consecutive qubits, joined by single ones between them. */
function heavyHex(size: number, edges: readonly Edge[]): Found | null {
  const lists = neighbours(size, edges);
  const chains = consecutive(size, lists);
  if (chains.length < 2 || lists.some(list => list.length > 3)) {
    return null;
  }
  const rowOf = new Map<number, number>();
  chains.forEach((row, index) => {
    for (let qubit = row.first; qubit <= row.last; qubit += 1) {
      rowOf.set(qubit, index);
    }
  });
  const points: (IPoint | undefined)[] = new Array(size).fill(undefined);
  place(points, chains[0], 0, 0);
  for (let index = 1; index < chains.length; index += 1) {
    const row = chains[index];
    const bridge = bridgeTo(lists, rowOf, index);
    if (row === undefined || bridge === null) {
      return null;
    }
    const above = points[bridge.above];
    if (above === undefined) {
      return null;
    }
    place(points, row, above.x - (bridge.below - row.first), 2 * index);
  }
  for (let qubit = 0; qubit < size; qubit += 1) {
    if (!rowOf.has(qubit)) {
      const beside = lists[qubit]?.[0];
      const there = beside === undefined ? undefined : points[beside];
      if (beside === undefined || there === undefined) {
        return null;
      }
      points[qubit] = { x: there.x, y: there.y + (beside < qubit ? 1 : -1) };
    }
  }
  const found = points.filter(point => point !== undefined);
  const straight = edges.every(([a, b]) => isStep(points[a], points[b]));
  return found.length === size && straight ? { shape: 'heavy-hex', points: found } : null;
}

function isStep(one: IPoint | undefined, other: IPoint | undefined): boolean {
  return (
    one !== undefined &&
    other !== undefined &&
    Math.abs(Math.abs(one.x - other.x) + Math.abs(one.y - other.y) - 1) < 1e-6
  );
}

function place(
  points: (IPoint | undefined)[],
  row: IRow | undefined,
  left: number,
  y: number
): void {
  for (let qubit = row?.first ?? 0; row !== undefined && qubit <= row.last; qubit += 1) {
    points[qubit] = { x: left + qubit - row.first, y };
  }
}

/** Runs of at least three qubits that are coupled in the order of their numbers. */
function consecutive(size: number, lists: readonly number[][]): IRow[] {
  const found: IRow[] = [];
  let first = 0;
  for (let qubit = 0; qubit < size; qubit += 1) {
    if (!lists[qubit]?.includes(qubit + 1)) {
      if (qubit - first >= 2) {
        found.push({ first, last: qubit });
      }
      first = qubit + 1;
    }
  }
  return found;
}

/** A qubit of the row before and one of this row that share a neighbour between the rows. */
function bridgeTo(
  lists: readonly number[][],
  rowOf: ReadonlyMap<number, number>,
  index: number
): { above: number; below: number } | null {
  for (let qubit = 0; qubit < lists.length; qubit += 1) {
    const list = rowOf.has(qubit) ? [] : (lists[qubit] ?? []);
    const above = list.find(other => rowOf.get(other) === index - 1);
    const below = list.find(other => rowOf.get(other) === index);
    if (above !== undefined && below !== undefined) {
      return { above, below };
    }
  }
  return null;
}

/** Stress majorisation: distances on paper as near as can be to those along the edges. */
function relaxed(size: number, lists: readonly number[][]): IPoint[] {
  const far = distances(size, lists);
  let points: IPoint[] = spread(far);
  for (let round = 0; round < 150; round += 1) {
    points = points.map((_, i) => pulled(i, points, far));
  }
  return points;
}

/** Where to begin: along the two widest directions of the distances (classical scaling), so that nothing is twisted. */
function spread(far: readonly Float64Array[]): IPoint[] {
  const squares = far.map(row => row.map(distance => distance * distance));
  const means = squares.map(row => row.reduce((a, b) => a + b, 0) / far.length);
  const mean = means.reduce((a, b) => a + b, 0) / far.length;
  const centred = squares.map((row, i) =>
    row.map((square, j) => -0.5 * (square - (means[i] ?? 0) - (means[j] ?? 0) + mean))
  );
  const x = widest(centred, []);
  const y = widest(centred, x);
  return x.map((value, n) => ({ x: value, y: y[n] ?? 0 }));
}

/** The leading eigenvector at right angles to `beside`, by power iteration, as long as its spread. */
function widest(matrix: readonly Float64Array[], beside: readonly number[]): number[] {
  const sideways = Math.hypot(...beside) || 1;
  const unit = beside.map(value => value / sideways);
  let vector = matrix.map((_, n) => Math.sin(1 + n * n)); // no symmetry of the graph has this one
  let size = 0;
  for (let round = 0; round < 200; round += 1) {
    const along = vector.reduce((sum, value, n) => sum + value * (unit[n] ?? 0), 0);
    vector = vector.map((value, n) => value - along * (unit[n] ?? 0));
    vector = matrix.map(row => row.reduce((sum, value, n) => sum + value * (vector[n] ?? 0), 0));
    size = Math.hypot(...vector) || 1;
    vector = vector.map(value => value / size);
  }
  return vector.map(value => value * Math.sqrt(size));
}

function pulled(i: number, points: readonly IPoint[], far: readonly Float64Array[]): IPoint {
  const here = points[i] ?? { x: 0, y: 0 };
  let [x, y, weights] = [0, 0, 0];
  points.forEach((other, j) => {
    if (j !== i) {
      const wanted = far[i]?.[j] ?? 1;
      const weight = 1 / (wanted * wanted);
      const [dx, dy] = [here.x - other.x, here.y - other.y];
      const scale = wanted / Math.max(Math.hypot(dx, dy), 1e-9);
      x += weight * (other.x + dx * scale);
      y += weight * (other.y + dy * scale);
      weights += weight;
    }
  });
  return weights ? { x: x / weights, y: y / weights } : here;
}

/** Steps along the edges between all pairs; pieces that are not joined lie a little apart. */
function distances(size: number, lists: readonly number[][]): Float64Array[] {
  const apart = 1 + Math.sqrt(size);
  return lists.map((_, start) => {
    const row = new Float64Array(size).fill(apart);
    row[start] = 0;
    const seen = new Set([start]);
    let edge = [start];
    for (let steps = 1; edge.length; steps += 1) {
      const next: number[] = [];
      for (const other of edge.flatMap(qubit => lists[qubit] ?? [])) {
        if (!seen.has(other)) {
          seen.add(other);
          row[other] = steps;
          next.push(other);
        }
      }
      edge = next;
    }
    return row;
  });
}

/** The item nearest to `from` in a direction, within 60 degrees of it; for the arrow keys. */
export function towards(places: readonly IPoint[], from: number, direction: IPoint): number | null {
  const here = places[from];
  let best: [number, number] | null = null;
  places.forEach((point, index) => {
    if (here && index !== from) {
      const [dx, dy] = [point.x - here.x, point.y - here.y];
      const [length, along] = [Math.hypot(dx, dy), dx * direction.x + dy * direction.y];
      const score = length + 2 * (length - along);
      if (length > 0 && along > 0.5 * length && (best === null || score < best[1])) {
        best = [index, score];
      }
    }
  });
  return best === null ? null : best[0];
}
