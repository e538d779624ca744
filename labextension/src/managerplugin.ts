import { LabClock } from './clock';
import { labPlugin } from './labplugin';
import { LabManager } from './manager';
import { labRequest } from './request';
import { ILabManager } from './tokens';

export const managerPlugin = labPlugin(
  'manager',
  'Follows the lab of this server.',
  [],
  [],
  app => {
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
  },
  ILabManager
);
