import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';

import { LabManager } from './manager';
import { labRequest } from './request';
import { ILabManager } from './tokens';

export const managerPlugin: JupyterFrontEndPlugin<ILabManager> = {
  id: 'qpi-jupyter:manager',
  description: 'Follows the lab behind this Jupyter server.',
  autoStart: true,
  provides: ILabManager,
  activate: (app: JupyterFrontEnd) => {
    const { events, serverSettings } = app.serviceManager;
    return new LabManager({ request: labRequest(serverSettings), events: events.stream });
  }
};
