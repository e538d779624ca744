import type { TranslationBundle } from '@jupyterlab/translation';

import { shortLength } from './board/values';
import type { LedgerLine } from './wire';

/** What the lines of an account are called. */
export function lineWords(trans: TranslationBundle): Readonly<Record<LedgerLine['kind'], string>> {
  return {
    grant: trans.__('Granted'),
    hold: trans.__('Reserved'),
    settle: trans.__('Settled'),
    refund: trans.__('Refunded')
  };
}

/** What a line adds to its account, or takes from it. */
export function signedLength(seconds: number, trans: TranslationBundle): string {
  return (seconds > 0 ? '+' : '') + shortLength(seconds, trans);
}
