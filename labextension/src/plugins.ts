import { accountPlugin } from './account/plugin';
import { adminPlugin } from './admin/plugin';
import { fileTypePlugin } from './around/filetypeplugin';
import { linkPlugin } from './around/linkplugin';
import { notifyPlugin } from './around/notifyplugin';
import { settingsPlugin } from './around/settingsplugin';
import { statusPlugin } from './around/statusplugin';
import { submitPlugin } from './around/submitplugin';
import { tabsPlugin } from './around/tabsplugin';
import { calendarPlugin } from './calendar/plugin';
import { drawingsPlugin } from './drawingsplugin';
import { managerPlugin } from './managerplugin';
import { outputsPlugin } from './outputs/plugin';
import { qpuPlugin } from './qpu/plugin';
import { queuePlugin } from './queue/plugin';
import { sidePlugin } from './side/plugin';

/** What the panel consists of. */
export const plugins = [
  accountPlugin,
  adminPlugin,
  fileTypePlugin,
  linkPlugin,
  notifyPlugin,
  settingsPlugin,
  statusPlugin,
  submitPlugin,
  tabsPlugin,
  calendarPlugin,
  drawingsPlugin,
  managerPlugin,
  outputsPlugin,
  qpuPlugin,
  queuePlugin,
  sidePlugin
];
