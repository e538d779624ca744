import { allowed } from '../sections';

/** The sections of the tab in their order, and what one must be allowed to see each. */
export const SECTIONS = {
  qpus: 'qpus:operate',
  drivers: 'drivers:manage',
  simulators: 'qpus:manage',
  people: 'people:manage',
  groups: 'people:manage',
  joins: 'people:manage',
  accounts: 'time:grant',
  requests: 'time:grant',
  rules: 'bookings:rules',
  notices: 'notices:write',
  audit: 'audit:read',
  replay: 'policies:try',
  config: 'audit:read'
} as const;

export type SectionId = keyof typeof SECTIONS;

/** The sections that somebody with these permissions sees; none: no tab at all. */
export function sectionsFor(permissions: readonly string[]): readonly SectionId[] {
  return allowed(SECTIONS, permissions);
}
