import type { TranslationBundle } from '@jupyterlab/translation';
import type * as React from 'react';

import type { CalendarController, IControllerState } from './controller';
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
  readonly controller: CalendarController;
  readonly state: IControllerState;
  readonly trans: TranslationBundle;
}): React.ReactElement | null {
  const { controller, state, trans } = props;
  const { question } = state;
  if (question === null) {
    return null;
  }
  const { action, booking, take } = question;
  const label =
    action === 'delete' ? trans.__('Delete from a series') : trans.__('Move in a series');
  return (
    <Modal label={label} onClose={() => controller.dismiss()}>
      <p>{bookingText(booking, controller.model.me, state.zone, trans)}</p>
      <div className="jp-QPI-ModalButtons">
        <Button onClick={() => controller.dismiss()}>{trans.__('Cancel')}</Button>
        {[...seriesChoices(trans)].reverse().map(([series, word]) => (
          <Button
            key={series}
            look={action === 'delete' ? 'warn' : 'accept'}
            onClick={() => take(series)}
          >
            {word}
          </Button>
        ))}
      </div>
    </Modal>
  );
}
