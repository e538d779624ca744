import type { TranslationBundle } from '@jupyterlab/translation';

import { shortLength } from './board/values';
import type { LedgerLine } from './wire';

/** What the lines of an account are called. */
export function lineWords(trans: TranslationBundle): Readonly<Record<LedgerLine['kind'], string>> {
  return {
    grant: trans.__('granted'),
    hold: trans.__('reserved'),
    settle: trans.__('settled'),
    refund: trans.__('refunded')
  };
}

/** What a line adds to its account, or takes from it. */
export function signedLength(seconds: number, trans: TranslationBundle): string {
  return (seconds > 0 ? '+' : '') + shortLength(seconds, trans);
}
