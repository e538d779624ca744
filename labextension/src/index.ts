import { accountPlugin } from './account/plugin';
import { adminPlugin } from './admin/plugin';
import { fileTypePlugin } from './around/filetypeplugin';
import { linkPlugin } from './around/linkplugin';
import { notifyPlugin } from './around/notifyplugin';
import { settingsPlugin } from './around/settingsplugin';
import { statusPlugin } from './around/statusplugin';
import { submitPlugin } from './around/submitplugin';
import { waysPlugin } from './around/waysplugin';
import { calendarPlugin } from './calendar/plugin';
import { drawingsPlugin } from './drawings';
import { managerPlugin } from './managerplugin';
import { qpuPlugin } from './qpu/plugin';
import { queuePlugin } from './queue/plugin';
import { sidePlugin } from './side/plugin';

export { IResultDrawings } from './drawings';
export * from './tokens';

export default [
  managerPlugin,
  drawingsPlugin,
  settingsPlugin,
  sidePlugin,
  calendarPlugin,
  queuePlugin,
  qpuPlugin,
  accountPlugin,
  adminPlugin,
  waysPlugin,
  linkPlugin,
  statusPlugin,
  notifyPlugin,
  fileTypePlugin,
  submitPlugin
];
