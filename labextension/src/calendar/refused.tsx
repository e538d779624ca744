import type { TranslationBundle } from '@jupyterlab/translation';
import type * as React from 'react';

import type { IOffer } from './controller';
import { Button } from './modal';
import { intervalText } from './words';

/** Why something was not done, in the lab's sentence; and a button that takes the next free interval. */
export function Refused(props: {
  readonly refusal: IOffer | null;
  readonly zone: string;
  readonly trans: TranslationBundle;
  readonly onDismiss?: () => void;
}): React.ReactElement {
  const { refusal, zone, trans, onDismiss } = props;
  const free = refusal?.nextFree ?? null;
  return (
    <div role="alert" className="jp-QPI-Refused">
      {refusal && <span className="jp-QPI-RefusedText">{refusal.message}</span>}
      {refusal && free && (
        <Button look="accept" onClick={() => void refusal.take(free)}>
          {trans.__('Take %1', intervalText(free, zone))}
        </Button>
      )}
      {refusal && onDismiss && <Button onClick={onDismiss}>{trans.__('Dismiss')}</Button>}
    </div>
  );
}
