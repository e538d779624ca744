import type { ILabManager } from '../tokens';
import type { ILabSettings } from './settings';

/**
 * Load what keeps the clock (`keepClock`) once there is something to keep: a zone is set, or the lab doesn't know this
 * browser's. Most pages begin in the zone that the lab knows already; another browser's word later changes nothing here.
 */
export function watchClock(manager: ILabManager, settings: ILabSettings): void {
  const mine = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  let known = false;
  const look = async () => {
    const { me } = manager.state;
    known ||= me?.timezone === mine;
    if (settings.values.timezone || settings.values.hours || (me && !(known && me.timezone))) {
      settings.changed.disconnect(look);
      manager.changed.disconnect(look);
      (await import('./clock')).keepClock(manager, settings);
    }
  };
  settings.changed.connect(look);
  manager.changed.connect(look);
  void look();
}
