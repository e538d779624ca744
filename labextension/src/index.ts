import { calendarPlugin } from './calendar/plugin';
import { managerPlugin } from './managerplugin';
import { panelPlugin } from './panelplugin';
import { queuePlugin } from './queue/plugin';

export * from './tokens';

export default [managerPlugin, panelPlugin, calendarPlugin, queuePlugin];
