import * as React from 'react';

import { Refresher } from '../refresher';
import type { ILabManager } from '../tokens';
import type { LabEvent } from '../wire';
import { type Fetch, Listing } from './listing';

/** Rows are asked for at most this often (ms). */
const EVERY = 250;

/** Rows: asked for when they are first shown, and again whenever the lab tells of something that `concerns` them. */
export function useRows<T>(
  manager: ILabManager,
  concerns: (event: LabEvent) => boolean,
  fetch: () => Fetch<T>
): Listing<T> {
  const [listing] = React.useState(() => new Listing(fetch()));
  React.useEffect(() => {
    void listing.load();
    return reloadOn(manager, concerns, () => listing.load());
  }, [manager, concerns, listing]);
  return listing;
}

/**
 * Calls `reload` for events that concern somebody, where events were missed, and when the lab is back; until the
 * answer is called.
 */
export function reloadOn(
  manager: Pick<ILabManager, 'follow'>,
  concerns: (event: LabEvent) => boolean,
  reload: () => Promise<void>
): () => void {
  const refresher = new Refresher(reload, EVERY);
  const again = () => refresher.want();
  const leave = manager.follow({
    heard: event => concerns(event) && again(),
    missed: again,
    back: again
  });
  return () => {
    leave();
    refresher.dispose();
  };
}
