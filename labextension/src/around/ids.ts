/** Shows the side panel. */
export const OPEN_PANEL = 'qpi:open-panel';
/** Connects to labs elsewhere. */
export const CONNECT = 'qpi:connect-lab';
/** The side panel's widget. */
export const PANEL_ID = 'qpi-lab-panel';
