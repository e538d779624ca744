import type { TranslationBundle } from '@jupyterlab/translation';

import type { DriverDetail } from './wire';

type Told = Pick<DriverDetail, 'enabled' | 'linked' | 'draining'>;

/** A driver's state in a word, and whether it is there. */
export function driverState(
  driver: Told,
  trans: TranslationBundle
): [string, 'online' | 'draining' | 'offline'] {
  if (driver.linked) {
    return driver.draining ? [trans.__('Draining'), 'draining'] : [trans.__('Connected'), 'online'];
  }
  return [driver.enabled ? trans.__('Not connected') : trans.__('Switched off'), 'offline'];
}
