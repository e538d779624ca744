import { managerPlugin } from './managerplugin';
import { panelPlugin } from './panelplugin';
import { qpuPlugin } from './qpu/plugin';

export * from './tokens';

export default [managerPlugin, panelPlugin, qpuPlugin];
