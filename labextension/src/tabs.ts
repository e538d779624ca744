import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IEditorServices } from '@jupyterlab/codeeditor';
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { IStateDB } from '@jupyterlab/statedb';
import type { TranslationBundle } from '@jupyterlab/translation';

import { labPlugin } from './labplugin';
import { ILabManager, type ITab, ITabs } from './tokens';

/** What the tabs of a plugin work with; null is what a page has not. */
export interface IPage {
  readonly app: JupyterFrontEnd;
  readonly manager: ILabManager;
  readonly trans: TranslationBundle;
  readonly stateDB: IStateDB | null;
  readonly editors: IEditorServices | null;
  readonly languages: IEditorLanguageRegistry | null;
}

/** A plugin that is a tab, or several. */
export function tabPlugin(
  name: string,
  description: string,
  tabs: (page: IPage) => readonly ITab[]
): JupyterFrontEndPlugin<void> {
  return labPlugin(
    name,
    description,
    [ITabs, ILabManager],
    [IStateDB, IEditorServices, IEditorLanguageRegistry],
    (app, trans, known, manager, stateDB, editors, languages) => {
      for (const tab of tabs({ app, manager, trans, stateDB, editors, languages })) {
        known.add(tab);
      }
    }
  );
}
