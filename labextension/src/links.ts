import type { PartialJSONObject } from '@lumino/coreutils';

import { PREFIX } from './address';

/** What an address may open: /lab?qpi=job&id=... */
const NAMES = ['calendar', 'queue', 'job', 'qpu', 'account', 'admin'] as const;

/** The command that an address asks for, with its arguments, and the address without them; null if it asks for none. */
export function askedTab(
  search: string
): { command: string; args: PartialJSONObject; rest: string } | null {
  const query = new URLSearchParams(search);
  const name = NAMES.find(known => known === query.get('qpi'));
  if (!name) {
    return null;
  }
  const args: PartialJSONObject = {};
  for (const key of ['id', 'qpu']) {
    const value = query.get(key);
    if (value !== null) {
      args[key] = value;
    }
    query.delete(key);
  }
  query.delete('qpi');
  const rest = query.size > 0 ? `?${query}` : '';
  return { command: PREFIX + name, args, rest };
}
