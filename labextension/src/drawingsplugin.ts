import { IResultDrawings, resultDrawings } from './drawings';
import { labPlugin } from './labplugin';

export const drawingsPlugin = labPlugin(
  'drawings',
  'Drawings of results.',
  [],
  [],
  () => resultDrawings,
  IResultDrawings
);
