import * as React from 'react';

import type { ILabManager } from '../tokens';
import type { QpuModel } from '../wire';
import { type Fetch, follow, Listing, type SectionId } from './model';

/** The rows of a section: asked for when it is shown, and again whenever the lab says that they changed. */
export function useLive<T>(
  manager: ILabManager,
  section: SectionId,
  fetch: () => Fetch<T>
): Listing<T> {
  // One section has one listing for as long as it is shown.
  const [listing] = React.useState(() => new Listing(fetch()));
  React.useEffect(() => {
    void listing.load();
    return follow(manager, section, () => listing.load());
  }, [manager, section, listing]);
  return listing;
}

/** The lab's QPUs, as they change. */
export function useQpus(manager: ILabManager): readonly QpuModel[] {
  return React.useSyncExternalStore(
    React.useCallback(
      tell => {
        manager.changed.connect(tell);
        return () => void manager.changed.disconnect(tell);
      },
      [manager]
    ),
    () => manager.state.qpus
  );
}
