import type { TranslationBundle } from '@jupyterlab/translation';
import type * as React from 'react';
import type { DriverRegistered } from '../wire';
import { Copied } from './cells';
import { ShownOnce } from './once';

/** What a driver needs, which the lab shows only once. */
export function Issued(props: {
  readonly issued: DriverRegistered;
  readonly renewed: boolean;
  readonly trans: TranslationBundle;
  readonly onClose: () => void;
}): React.ReactElement {
  const { issued, trans } = props;
  return (
    <ShownOnce
      label={trans.__('Token of %1', issued.name)}
      title={
        props.renewed
          ? trans.__('New token for %1', issued.name)
          : trans.__('Driver %1 registered', issued.name)
      }
      text={trans.__('The token is shown only once. Anyone who has it can drive %1.', issued.qpu)}
      trans={trans}
      onClose={props.onClose}
    >
      <Copied trans={trans} label={trans.__('Command line')} value={issued.command} />
      <Copied trans={trans} label={trans.__('systemd unit')} value={issued.unit} />
      <Copied trans={trans} label={trans.__('Token')} value={issued.token} />
      {issued.ca_fingerprint !== null && (
        <Copied trans={trans} label={trans.__('CA fingerprint')} value={issued.ca_fingerprint} />
      )}
    </ShownOnce>
  );
}
