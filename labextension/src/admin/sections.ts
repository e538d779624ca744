import type { EventModel } from '../wire';

/** A section of the tab: what one must be allowed to see it, and which of the lab's events change it. */
export interface ISection {
  readonly id: string;
  readonly permission: string;
  readonly events: readonly string[];
}

export const SECTIONS = [
  { id: 'qpus', permission: 'qpus:operate', events: ['qpu.'] },
  { id: 'drivers', permission: 'drivers:manage', events: ['qpu.'] },
  { id: 'simulators', permission: 'qpus:manage', events: ['qpu.'] },
  { id: 'people', permission: 'people:manage', events: ['person.'] },
  { id: 'groups', permission: 'people:manage', events: ['person.'] },
  { id: 'accounts', permission: 'time:grant', events: ['balance.'] },
  { id: 'requests', permission: 'time:grant', events: ['time_request.'] },
  { id: 'rules', permission: 'bookings:rules', events: [] },
  { id: 'notices', permission: 'notices:write', events: ['notice.'] },
  { id: 'audit', permission: 'audit:read', events: [] },
  { id: 'replay', permission: 'policies:try', events: ['replay.'] },
  { id: 'config', permission: 'audit:read', events: [] }
] as const satisfies readonly ISection[];

export type SectionId = (typeof SECTIONS)[number]['id'];

/** The sections that somebody with these permissions sees; none: no tab at all. */
export function sectionsFor(permissions: readonly string[]): readonly SectionId[] {
  return SECTIONS.filter(section => permissions.includes(section.permission)).map(({ id }) => id);
}

/** Whether `event` changes what `section` shows. */
export function concerns(section: SectionId, event: Pick<EventModel, 'kind'>): boolean {
  const kinds: readonly string[] = SECTIONS.find(({ id }) => id === section)?.events ?? [];
  return kinds.some(prefix => event.kind.startsWith(prefix));
}
