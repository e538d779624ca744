import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IEditorServices } from '@jupyterlab/codeeditor';
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';

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
  id: string,
  description: string,
  tabs: (page: IPage) => readonly ITab[]
): JupyterFrontEndPlugin<void> {
  return {
    id,
    description,
    autoStart: true,
    requires: [ITabs, ILabManager],
    optional: [ITranslator, IStateDB, IEditorServices, IEditorLanguageRegistry],
    activate: (
      app: JupyterFrontEnd,
      known: ITabs,
      manager: ILabManager,
      translator: ITranslator | null,
      stateDB: IStateDB | null,
      editors: IEditorServices | null,
      languages: IEditorLanguageRegistry | null
    ) => {
      const trans = (translator ?? nullTranslator).load('qpi-jupyter');
      for (const tab of tabs({ app, manager, trans, stateDB, editors, languages })) {
        known.add(tab);
      }
    }
  };
}
