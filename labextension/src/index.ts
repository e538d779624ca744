import { adminPlugin } from './admin/plugin';
import { managerPlugin } from './managerplugin';
import { panelPlugin } from './panelplugin';

export * from './tokens';

export default [managerPlugin, panelPlugin, adminPlugin];
