/** Shows the side panel. */
export const OPEN_PANEL = 'qpi:open-panel';
/** The side panel's widget. */
export const PANEL_ID = 'qpi-lab-panel';
/** The tabs that open without arguments, where their plugins are there. */
export const TABS = [
  'qpi:open-calendar',
  'qpi:open-queue',
  'qpi:open-account',
  'qpi:open-admin'
] as const;
