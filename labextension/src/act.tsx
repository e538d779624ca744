import { Notification } from '@jupyterlab/apputils';
import * as React from 'react';

import { messageOf } from './request';

/** A button that asks the lab for something: once at a time; a refusal is told in the words of whoever refused. */
export function Act(props: {
  label: string;
  act: () => Promise<unknown>;
  /** What it is called where the label alone says too little. */
  name?: string;
  className?: string;
}): React.ReactElement {
  const [busy, setBusy] = React.useState(false);
  const press = async () => {
    setBusy(true);
    try {
      await props.act();
    } catch (error) {
      Notification.error(messageOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <button
      type="button"
      className={`jp-QPI-Action jp-mod-styled ${props.className ?? ''}`}
      aria-label={props.name ?? props.label}
      aria-disabled={busy}
      onClick={() => busy || void press()}
    >
      {props.label}
    </button>
  );
}
