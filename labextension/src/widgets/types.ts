/** Which widget an output shows, in a form of ours (qpi_jupyter/ui/shown.py). */
export const WIDGET = 'application/vnd.qpi.widget+json';
