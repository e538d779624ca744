import type { TranslationBundle } from '@jupyterlab/translation';
import type * as React from 'react';

import { keyHelp } from './keys';
import { Button, Modal } from './modal';

/** All keys of the calendar. */
export function KeysDialog(props: {
  readonly trans: TranslationBundle;
  readonly onClose: () => void;
}): React.ReactElement {
  const { trans, onClose } = props;
  return (
    <Modal label={trans.__('Keyboard shortcuts')} onClose={onClose}>
      <dl className="jp-QPI-Keys">
        {keyHelp(trans).map(([key, action]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{action}</dd>
          </div>
        ))}
      </dl>
      <p className="jp-QPI-Detail">
        {trans.__(
          'With the mouse: drag over a time or double-click it to book, drag a booking or its edges to move it.'
        )}
      </p>
      <div className="jp-QPI-ModalButtons">
        <Button onClick={onClose}>{trans.__('Close')}</Button>
      </div>
    </Modal>
  );
}
