/** Shows the side panel. */
export const OPEN_PANEL = 'qpi:open-panel';
/** The side panel's widget. */
export const PANEL_ID = 'qpi-lab-panel';
