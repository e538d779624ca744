import type { CommandRegistry } from '@lumino/commands';
import type { PartialJSONObject } from '@lumino/coreutils';

import { PREFIX } from './address';

/** What an address opens (`/lab?qpi=job&id=...`): a command, its arguments, and the address without them. */
interface IAsked {
  readonly command: string;
  readonly args: PartialJSONObject;
  readonly rest: string;
}

/** What the search part of an address asks for; null if there is no such tab. */
export async function askedTab(
  search: string,
  commands: Pick<CommandRegistry, 'hasCommand' | 'describedBy'>
): Promise<IAsked | null> {
  const query = new URLSearchParams(search);
  const command = PREFIX + (query.get('qpi') ?? '');
  if (!commands.hasCommand(command)) {
    return null;
  }
  const { args: schema } = await commands.describedBy(command);
  const args: PartialJSONObject = {};
  for (const name of Object.keys(schema?.properties ?? {})) {
    const value = query.get(name);
    if (value !== null) {
      args[name] = value;
    }
    query.delete(name);
  }
  query.delete('qpi');
  return { command, args, rest: query.size > 0 ? `?${query}` : '' };
}
