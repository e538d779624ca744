import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';

import { LabClock } from './clock';
import { LabManager } from './manager';
import { labRequest } from './request';
import { ILabManager } from './tokens';

export const managerPlugin: JupyterFrontEndPlugin<ILabManager> = {
  id: 'qpi-jupyter:manager',
  description: 'Follows the lab of this server.',
  autoStart: true,
  provides: ILabManager,
  activate: (app: JupyterFrontEnd) => {
    const { connectionFailure, events, serverSettings } = app.serviceManager;
    const clock = new LabClock();
    const manager = new LabManager({
      request: labRequest(serverSettings, clock),
      events: events.stream,
      now: () => clock.now()
    });
    // Jupyter's own requests may be the first to find the server gone
    connectionFailure.connect(() => {
      if (manager.state.connection === 'connected') {
        void manager.refresh();
      }
    });
    return manager;
  }
};
