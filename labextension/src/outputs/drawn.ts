import type { IDrawing, IExperiment } from '../drawings';
import { bars, byOutcome } from '../queue/counts';
import { iqPlane } from '../queue/iq';
import type { JobOutput } from '../wire';

/** What an output keeps of a result: the first drawings, of so many. */
export type IDrawn = Pick<JobOutput, 'drawings' | 'total'>;

/** As many as a kernel puts into an output (qpi_jupyter/ui/state.py). */
const MOST = 24;
/** Points of an IQ plane that are kept, as a kernel keeps them (qpi_jupyter/data/views.py). */
const MOST_POINTS = 800;

/** What is drawn of a result: of the counts that came with the job, or of what the driver said. */
export function drawingsOf(
  counts: readonly Readonly<Record<string, number>>[],
  results: readonly IExperiment[]
): IDrawn {
  const all = [
    ...counts.map((found, n) => countsDrawing(found, `Circuit ${n}`)),
    ...results.flatMap((result, n) => ofExperiment(result, results.length > 1 ? n : null))
  ];
  return { drawings: all.slice(0, MOST), total: all.length };
}

function ofExperiment(result: IExperiment, circuit: number | null): IDrawing[] {
  const named = (drawing: IDrawing): IDrawing => ({
    ...drawing,
    label: [circuit === null ? '' : `Circuit ${circuit}`, drawing.label].filter(Boolean).join(', ')
  });
  const { counts } = result.data;
  if (result.drawings && result.drawings.length > 0) {
    return result.drawings.map(named);
  }
  if (counts && Object.keys(counts).length > 0) {
    return [named(countsDrawing(byOutcome(counts, result.header.memory_slots), ''))];
  }
  const planes = pointsOf(result);
  if (planes.length > 0) {
    return planes.map(named);
  }
  const text = `This result (${result.kind}) is drawn where its job is opened.`;
  return [named({ draw: 'note', label: '', text })];
}

/** The IQ plane of each classical bit, as `iq` in qpi_jupyter/data/drawings.py: the lab does not tell the points apart. */
function pointsOf(result: IExperiment): IDrawing[] {
  const bits = result.header.memory_slots;
  return Array.from({ length: bits }, (_, bit) => iqPlane(result, bit)).flatMap((plane, bit) => {
    if (plane === null) {
      return [];
    }
    const { averaged, points, total } = plane;
    const step = Math.ceil(points.length / MOST_POINTS);
    const some = points.filter((_, n) => n % step === 0);
    const part = (of: 0 | 1) => some.map(point => Number(point[of].toPrecision(4)));
    const label = bits > 1 ? `Bit ${bit}` : '';
    return [{ draw: 'iq', label, i: part(0), q: part(1), total, averaged, units: 'arb. unit' }];
  });
}

/** As `counts` in qpi_jupyter/data/drawings.py. */
function countsDrawing(counts: Readonly<Record<string, number>>, label: string): IDrawing {
  return {
    draw: 'counts',
    label,
    shots: Object.values(counts).reduce((sum, count) => sum + count, 0),
    outcomes: Object.keys(counts).length,
    bars: bars(counts).map(({ outcome, count, share, outcomes }) => ({
      label: outcome ?? `${outcomes.toLocaleString('en')} other outcomes`,
      count,
      share: Number(share.toFixed(6)),
      rest: outcome === null
    }))
  };
}
