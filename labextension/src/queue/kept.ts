import type { IStateDB } from '@jupyterlab/statedb';

import { EVERYTHING_OF_MINE, type IFilters, STATUSES } from './filters';
import { textLabels } from './labels';
import { COLUMNS, type IOrder, NEWEST_FIRST } from './order';

const KEY = 'qpi-jupyter:queue';

/** How somebody left the table. */
export interface ITableView {
  readonly filters: IFilters;
  readonly order: IOrder;
}

/** How the table was left; its usual view where nothing was kept, or nothing that can be read. */
export async function loadView(stateDB: IStateDB | null): Promise<ITableView> {
  const kept = await stateDB?.fetch(KEY).catch(() => undefined);
  const { filters, order } = (kept ?? {}) as { filters?: unknown; order?: unknown };
  return { filters: readFilters(filters), order: readOrder(order) };
}

export async function saveView(stateDB: IStateDB | null, view: ITableView): Promise<void> {
  const { filters, order } = view;
  await stateDB?.save(KEY, {
    filters: { ...filters, tags: [...filters.tags] },
    order: { ...order }
  });
}

function readFilters(kept: unknown): IFilters {
  const found = (kept ?? {}) as Record<keyof IFilters, unknown>;
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  return {
    ...EVERYTHING_OF_MINE,
    mine: found.mine !== false,
    status: STATUSES.find(status => status === found.status) ?? null,
    qpu: text(found.qpu) || null,
    group: text(found.group) || null,
    ...textLabels(name => text(found[name])),
    tags: Array.isArray(found.tags) ? found.tags.map(text).filter(Boolean) : [],
    text: text(found.text)
  };
}

function readOrder(kept: unknown): IOrder {
  const { by, descending } = (kept ?? {}) as Partial<Record<keyof IOrder, unknown>>;
  const column = COLUMNS.find(name => name === by);
  return column ? { by: column, descending: descending === true } : NEWEST_FIRST;
}
