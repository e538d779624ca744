import type { IDrawing, IExperiment } from '../drawings';
import { bars, byOutcome } from '../queue/counts';
import type { JobOutput } from '../wire';

/** What an output keeps of a result: the first drawings, of so many. */
export type IDrawn = Pick<JobOutput, 'drawings' | 'total'>;

/** As many as a kernel puts into an output (qpi_jupyter/ui/state.py). */
const MOST = 24;

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
  const text = `This result (${result.kind}) is drawn where its job is opened.`;
  return [named({ draw: 'note', label: '', text })];
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
