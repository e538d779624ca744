import type { IDrawing, IExperiment } from '../drawings';
import { drawingsOf } from '../queue/drawn';
import { shownOf } from '../queue/sweeps';
import type { JobOutput } from '../wire';

/** What an output keeps of a result: the first drawings, of so many. */
export type IDrawn = Pick<JobOutput, 'drawings' | 'total'>;

/** As many as a kernel puts into an output (qpi_jupyter/ui/state.py). */
const MOST = 24;

/** What is drawn of a job's results: of a sweep all rows together. */
export function drawnOf(results: readonly IExperiment[]): IDrawn {
  const shown = shownOf(results);
  const names = shown.map(({ header }) => header.name ?? '');
  const all = shown.flatMap((result, n) => {
    const own = names.filter(name => name === names[n]).length === 1 ? names[n] : '';
    const circuit = shown.length > 1 ? own || `Circuit ${n}` : '';
    return ofOne(result).map(drawing => ({
      ...drawing,
      label: [circuit, drawing.label].filter(Boolean).join(', ')
    }));
  });
  return { drawings: all.slice(0, MOST), total: all.length };
}

function ofOne(result: IExperiment): readonly IDrawing[] {
  const drawings = drawingsOf(result);
  const text = `This result (${result.kind}) is drawn where its job is opened.`;
  return drawings.length > 0 ? drawings : [{ draw: 'note', label: '', text }];
}

/** What a notebook or the lab holds as a drawing. */
export function asDrawing(drawing: JobOutput['drawings'][number]): IDrawing {
  return { ...drawing, draw: String(drawing.draw), label: String(drawing.label ?? '') };
}
