import * as React from 'react';
import type { Fetch, Listing } from '../board/listing';
import { useRows } from '../board/live';
import type { ILabManager } from '../tokens';
import type { EventModel } from '../wire';
import { concerns, type SectionId } from './sections';

/** The rows of a section: asked for when it is shown, and again whenever the lab says that they changed. */
export function useLive<T>(
  manager: ILabManager,
  section: SectionId,
  fetch: () => Fetch<T>
): Listing<T> {
  const changes = React.useCallback((event: EventModel) => concerns(section, event), [section]);
  return useRows(manager, changes, fetch);
}
