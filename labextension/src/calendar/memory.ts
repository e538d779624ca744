import type { IStateDB } from '@jupyterlab/statedb';

import { VIEWS, type View } from './days';
import { isZone } from './zones';

const KEY = 'qpi-jupyter:calendar';

/** How somebody likes to look at the calendar; kept over reloads. */
export interface IHabits {
  readonly view: View;
  /** The IANA name of a clock; null: the browser's, wherever that is. */
  readonly zone: string | null;
  /** The QPUs that are filtered out. */
  readonly hidden: readonly string[];
}

/** What was kept; of what cannot be read, nothing. */
export async function recall(stateDB: IStateDB | null): Promise<Partial<IHabits>> {
  const kept = await stateDB?.fetch(KEY).catch(() => undefined);
  if (typeof kept !== 'object' || kept === null) {
    return {};
  }
  const { view, zone, hidden } = kept as Record<keyof IHabits, unknown>;
  const known = VIEWS.find(one => one === view);
  return {
    ...(known === undefined ? {} : { view: known }),
    ...(typeof zone === 'string' && isZone(zone) ? { zone } : {}),
    ...(Array.isArray(hidden) ? { hidden: hidden.map(String) } : {})
  };
}

export async function keep(stateDB: IStateDB | null, habits: IHabits): Promise<void> {
  const { view, zone, hidden } = habits;
  await stateDB?.save(KEY, { view, zone, hidden: [...hidden] });
}
