import * as React from 'react';

import { type Fetch, Listing } from '../admin/model';
import type { ILabManager } from '../tokens';
import type { EventModel, Me } from '../wire';
import { follow } from './model';

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

/** Who I am in the lab, as that changes; null where the lab knows nobody behind this server. */
export function useMe(manager: ILabManager): Me | null {
  return React.useSyncExternalStore(
    React.useCallback(
      (tell: () => void) => {
        manager.changed.connect(tell);
        return () => void manager.changed.disconnect(tell);
      },
      [manager]
    ),
    () => manager.state.me
  );
}
