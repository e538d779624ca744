import { Clipboard } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { checkIcon, copyIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

/** A job's id, which a click copies; `bare` shows only the sign for it. */
export function CopyId(props: {
  readonly id: string;
  readonly trans: TranslationBundle;
  readonly bare?: boolean;
}): React.ReactElement {
  const { bare, id, trans } = props;
  const [done, setDone] = React.useState(false);
  React.useEffect(() => setDone(false), [id]);
  const Sign = done ? checkIcon : copyIcon;
  return (
    <button
      type="button"
      className="jp-QPI-CopyId"
      title={done ? trans.__('Copied') : trans.__('Copy %1', id)}
      aria-label={trans.__('Copy %1', id)}
      onClick={event => {
        event.stopPropagation();
        Clipboard.copyToSystem(id);
        setDone(true);
      }}
      onBlur={() => setDone(false)}
    >
      {!bare && <code>{id}</code>}
      <Sign.react tag="span" width="14px" height="14px" />
    </button>
  );
}
