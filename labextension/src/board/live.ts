import { Throttler } from '@lumino/polling';
import * as React from 'react';
import type { ILabManager, ILabState } from '../tokens';
import type { EventModel } from '../wire';
import { type Fetch, Listing } from './listing';

/** Rows: asked for when they are first shown, and again whenever the lab tells of something that `concerns` them. */
export function useRows<T>(
  manager: ILabManager,
  concerns: (event: EventModel) => boolean,
  fetch: () => Fetch<T>
): Listing<T> {
  const [listing] = React.useState(() => new Listing(fetch()));
  React.useEffect(() => {
    void listing.load();
    return follow(manager, concerns, () => listing.load());
  }, [manager, concerns, listing]);
  return listing;
}

/** A part of what is known of the lab, as it changes. */
export function useLab<T>(manager: ILabManager, pick: (state: ILabState) => T): T {
  return React.useSyncExternalStore(
    React.useCallback(
      (tell: () => void) => {
        manager.changed.connect(tell);
        return () => void manager.changed.disconnect(tell);
      },
      [manager]
    ),
    () => pick(manager.state)
  );
}

/** Reloads are at least this far apart (ms). */
const PAUSE = 250;

/**
 * Calls `reload` for every event that `concerns`, where events were lost, and when the lab is back; until the answer
 * is called.
 */
export function follow(
  manager: Pick<ILabManager, 'changed' | 'events' | 'gap' | 'state'>,
  concerns: (event: EventModel) => boolean,
  reload: () => Promise<void>
): () => void {
  const throttle = new Throttler(reload, { limit: PAUSE, edge: 'trailing' });
  const again = () => {
    throttle.invoke().catch(() => undefined); // rejects only when disposed of
  };
  const heard = (_: unknown, event: EventModel) => {
    if (concerns(event)) {
      again();
    }
  };
  let lost = manager.state.connection === 'lost';
  const seen = (_: unknown, state: ILabState) => {
    if (lost && state.connection === 'connected') {
      again();
    }
    lost = state.connection === 'lost';
  };
  manager.events.connect(heard);
  manager.gap.connect(again);
  manager.changed.connect(seen);
  return () => {
    manager.events.disconnect(heard);
    manager.gap.disconnect(again);
    manager.changed.disconnect(seen);
    throttle.dispose();
  };
}
