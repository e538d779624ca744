import { plugins } from './plugins';

export { IResultDrawings } from './drawings';
export * from './tokens';

export default plugins;
