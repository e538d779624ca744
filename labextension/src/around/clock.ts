import { at, send } from '../send';
import type { ILabManager } from '../tokens';
import { clockZone, setClock } from '../words';
import type { ILabSettings } from './settings';

/**
 * Show times by the clock that is set, else by the browser's, and tell the lab which one that is: once, and again when
 * it is set anew or the lab has started again. Of several browsers the last one that spoke counts.
 */
export function keepClock(manager: ILabManager, settings: ILabSettings): void {
  let said = '';
  let telling = false;
  const keep = () => {
    setClock(valid(settings.values.timezone), settings.values.hours);
    const { connection, me } = manager.state;
    const zone = clockZone();
    const clock = `${zone} ${settings.values.hours}`;
    if (connection === 'connected' && me && !telling && (said !== clock || me.timezone === null)) {
      telling = true;
      said = clock;
      void tell(manager, zone).then(done => {
        telling = !done; // who was refused asks no more
      });
    }
  };
  settings.changed.connect(keep);
  manager.changed.connect(keep);
  keep();
}

async function tell(manager: ILabManager, timezone: string): Promise<boolean> {
  try {
    await send(manager.request, 'PUT', at('me', 'timezone'), { timezone });
    await manager.identify(); // what shows times is drawn anew
    return true;
  } catch {
    return manager.state.connection !== 'connected';
  }
}

/** The name of a zone, if the browser knows it. */
function valid(name: string): string {
  try {
    return name && new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return '';
  }
}
