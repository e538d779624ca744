import { calendarPlugin } from './calendar/plugin';
import { managerPlugin } from './managerplugin';
import { panelPlugin } from './panelplugin';
import { qpuPlugin } from './qpu/plugin';
import { queuePlugin } from './queue/plugin';

export * from './tokens';

export default [managerPlugin, panelPlugin, calendarPlugin, queuePlugin, qpuPlugin];
