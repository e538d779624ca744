import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { ILabManager } from '../tokens';
import { said } from './model';

/** What every section is given. */
export interface ISectionProps {
  readonly manager: ILabManager;
  readonly trans: TranslationBundle;
  readonly permissions: readonly string[];
}

/** Names that a table's cell shows. */
const SHOWN = 8;

/** Say what is gone, and offer to bring it back. */
export function offerUndo(
  trans: TranslationBundle,
  text: string,
  listing: { load(): Promise<void> },
  undo: () => Promise<unknown>
): void {
  const again = async () => {
    try {
      await undo();
      await listing.load();
    } catch (error) {
      Notification.error(said(error));
    }
  };
  Notification.info(text, {
    autoClose: 10_000,
    actions: [{ label: trans.__('Undo'), callback: () => void again() }]
  });
}

/** Names in a table's cell: the first of them, and how many more. */
export function listed(names: readonly string[], trans: TranslationBundle): string {
  const more = names.length - SHOWN;
  const first = names.slice(0, SHOWN).join(', ') || '–';
  return more > 0 ? trans.__('%1 and %2 more', first, more) : first;
}

/** A moment as the browser's people write it; a dash where there is none. */
export function when(iso: string | null): string {
  return iso === null
    ? '–'
    : new Date(iso).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}
