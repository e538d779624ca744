import { fileTypePlugin } from './around/filetypeplugin';
import { notifyPlugin } from './around/notifyplugin';
import { settingsPlugin } from './around/settingsplugin';
import { statusPlugin } from './around/statusplugin';
import { submitPlugin } from './around/submitplugin';
import { waysPlugin } from './around/waysplugin';
import { managerPlugin } from './managerplugin';
import { sidePlugin } from './side/plugin';

export * from './tokens';

export default [
  managerPlugin,
  settingsPlugin,
  sidePlugin,
  waysPlugin,
  statusPlugin,
  notifyPlugin,
  fileTypePlugin,
  submitPlugin
];
