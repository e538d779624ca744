import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Fetch, Listing } from '../board/listing';
import { useRows } from '../board/rows';
import type { ILabManager } from '../tokens';
import type { LabEvent } from '../wire';
import type { SectionId } from './sections';

/** What every section is given. */
export interface ISectionProps {
  readonly manager: ILabManager;
  readonly trans: TranslationBundle;
  readonly permissions: readonly string[];
}

const BENCH = ['qpu.changed', 'driver.changed'] as const;
const PEOPLE = ['person.changed', 'group.changed'] as const;
/** What happens that changes what a section shows. */
const KINDS: Readonly<Record<SectionId, readonly LabEvent['kind'][]>> = {
  qpus: BENCH,
  drivers: BENCH,
  simulators: BENCH,
  people: PEOPLE,
  groups: PEOPLE,
  joins: ['audit.written'], // which says who made, used or revoked one
  accounts: ['balance.changed', 'account.changed'],
  requests: ['time_request.changed'],
  rules: ['booking_rule.changed'],
  notices: ['notice.changed'],
  audit: ['audit.written'],
  replay: ['replay.changed'],
  config: [] // changes with a start of the lab, after which everything is asked for anew
};

/** Whether `event` changes what `section` shows. */
export function concerns(section: SectionId, event: Pick<LabEvent, 'kind'>): boolean {
  return KINDS[section].includes(event.kind);
}

/** The rows of a section: asked for when it is shown, and again whenever the lab says that they changed. */
export function useSectionRows<T>(
  manager: ILabManager,
  section: SectionId,
  fetch: () => Fetch<T>
): Listing<T> {
  const changes = React.useCallback((event: LabEvent) => concerns(section, event), [section]);
  return useRows(manager, changes, fetch);
}
