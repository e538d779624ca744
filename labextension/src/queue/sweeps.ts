import type { IExperiment } from '../drawings';

/** Whether this is the first row of a sweep that is drawn as one. */
function isSweep({ row, drawings }: IExperiment): boolean {
  return row === 0 && drawings !== undefined && drawings.length > 0;
}

/** The results with a drawing each: of a sweep the first row, which stands for all. */
export function shownOf(experiments: readonly IExperiment[]): readonly IExperiment[] {
  const swept = new Set(experiments.filter(isSweep).map(({ circuit }) => circuit));
  return experiments.filter(one => !one.row || !swept.has(one.circuit));
}
