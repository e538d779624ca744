import type { CommandRegistry } from '@lumino/commands';

/** The description of a command that takes these texts as arguments. */
export function takes(...names: readonly string[]): CommandRegistry.Description {
  const properties = Object.fromEntries(names.map(name => [name, { type: 'string' }]));
  return { args: { type: 'object', properties } };
}
