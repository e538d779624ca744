import { InputDialog, Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { ILabManager } from '../tokens';

/** Which QPU somebody wants to see; null: none. */
export async function askQpu(
  manager: ILabManager,
  trans: TranslationBundle
): Promise<string | null> {
  const names = manager.state.qpus.map(qpu => qpu.name);
  if (names.length === 0) {
    Notification.info(trans.__('No QPUs yet.'));
  }
  if (names.length < 2) {
    return names[0] ?? null;
  }
  const title = trans.__('Open which QPU?');
  const answer = await InputDialog.getItem({ title, items: names });
  return answer.button.accept ? answer.value : null;
}
