import type { TranslationBundle } from '@jupyterlab/translation';

import type { ILabManager } from '../tokens';

/** What every section is given. */
export interface ISectionProps {
  readonly manager: ILabManager;
  readonly trans: TranslationBundle;
  readonly permissions: readonly string[];
}
