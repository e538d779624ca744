import type { IEditorFactoryService } from '@jupyterlab/codeeditor';
import type { ServiceManager } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';

import type { LabFile } from '../request';
import type { ILabManager } from '../tokens';
import type { Bin } from './bin';

/** What the views of jobs work with. */
export interface ITools {
  readonly manager: ILabManager;
  readonly trans: TranslationBundle;
  readonly commands: CommandRegistry;
  readonly services: ServiceManager.IManager;
  /** JupyterLab's code editors; null where there are none. */
  readonly editors: IEditorFactoryService | null;
  readonly file: LabFile;
  /** Jobs that are about to be deleted, for all views together. */
  readonly bin: Bin;
}

export namespace CommandIDs {
  export const openJob = 'qpi:open-job';
}
