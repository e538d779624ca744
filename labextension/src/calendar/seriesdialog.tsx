import type { TranslationBundle } from '@jupyterlab/translation';
import type * as React from 'react';

import type { CalendarDesk, IDeskState } from './desk';
import type { Series } from './draft';
import { Button, Modal } from './modal';
import { bookingText } from './words';

/** How much of a series, in words. */
export function seriesChoices(trans: TranslationBundle): readonly (readonly [Series, string])[] {
  return [
    ['this', trans.__('This one')],
    ['following', trans.__('This and following')],
    ['all', trans.__('All')]
  ];
}

/** Asks how much of a series is to be deleted or moved. */
export function SeriesDialog(props: {
  readonly desk: CalendarDesk;
  readonly state: IDeskState;
  readonly trans: TranslationBundle;
}): React.ReactElement | null {
  const { desk, state, trans } = props;
  const { question } = state;
  if (question === null) {
    return null;
  }
  const { deed, booking, take } = question;
  const label = deed === 'delete' ? trans.__('Delete from a series') : trans.__('Move in a series');
  return (
    <Modal label={label} onClose={() => desk.dismiss()}>
      <p>{bookingText(booking, desk.model.me, state.zone, trans)}</p>
      <div className="jp-QPI-ModalButtons">
        <Button onClick={() => desk.dismiss()}>{trans.__('Cancel')}</Button>
        {[...seriesChoices(trans)].reverse().map(([series, word]) => (
          <Button
            key={series}
            look={deed === 'delete' ? 'warn' : 'accept'}
            onClick={() => take(series)}
          >
            {word}
          </Button>
        ))}
      </div>
    </Modal>
  );
}
