/** The rows that are chosen, by the ids of their jobs. Never changed, only replaced. */
export interface ISelection {
  readonly ids: ReadonlySet<string>;
  /** Where the keyboard is. */
  readonly current: string | null;
  /** Where a stretch of rows begins. */
  readonly anchor: string | null;
}

/** The rows in their order, as far as they are here. */
export interface IRows {
  at(index: number): { readonly id: string } | undefined;
  indexOf(id: string): number;
}

export const NOTHING: ISelection = { ids: new Set(), current: null, anchor: null };

/** This one and no other. */
export function only(id: string): ISelection {
  return { ids: new Set([id]), current: id, anchor: id };
}

/** This one as well, or no longer. */
export function toggled(selection: ISelection, id: string): ISelection {
  const ids = new Set(selection.ids);
  if (!ids.delete(id)) {
    ids.add(id);
  }
  return { ids, current: id, anchor: id };
}

/** All from the anchor to this one. */
export function stretched(selection: ISelection, id: string, rows: IRows): ISelection {
  const [from, to] = [rows.indexOf(selection.anchor ?? id), rows.indexOf(id)];
  if (from < 0 || to < 0) {
    return only(id);
  }
  const ids = new Set<string>();
  for (let index = Math.min(from, to); index <= Math.max(from, to); index += 1) {
    const row = rows.at(index);
    if (row) {
      ids.add(row.id);
    }
  }
  return { ids, current: id, anchor: rows.at(from)?.id ?? id };
}
