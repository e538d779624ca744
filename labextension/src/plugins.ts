// What the panel consists of: a line a plugin.
export { accountPlugin } from './account/plugin';
export { adminPlugin } from './admin/plugin';
export { fileTypePlugin } from './around/filetypeplugin';
export { linkPlugin } from './around/linkplugin';
export { notifyPlugin } from './around/notifyplugin';
export { settingsPlugin } from './around/settingsplugin';
export { statusPlugin } from './around/statusplugin';
export { submitPlugin } from './around/submitplugin';
export { tabsPlugin } from './around/tabsplugin';
export { calendarPlugin } from './calendar/plugin';
export { drawingsPlugin } from './drawings';
export { managerPlugin } from './managerplugin';
export { qpuPlugin } from './qpu/plugin';
export { queuePlugin } from './queue/plugin';
export { sidePlugin } from './side/plugin';
export { widgetsPlugin } from './widgets/plugin';
