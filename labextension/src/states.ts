import type { TranslationBundle } from '@jupyterlab/translation';

import type { QpuModel } from './wire';

/** How a state stands out: by colour, and always by its word as well. */
export type Tone = 'waiting' | 'active' | 'good' | 'bad' | 'quiet';

/** A QPU's state in a word. */
export function qpuState(qpu: Pick<QpuModel, 'status'>, trans: TranslationBundle): [string, Tone] {
  const states: Record<QpuModel['status'], [string, Tone]> = {
    online: [trans.__('Online'), 'good'],
    offline: [trans.__('Offline'), 'bad'],
    held: [trans.__('On hold'), 'waiting'],
    maintenance: [trans.__('In maintenance'), 'waiting'],
    disabled: [trans.__('Disabled'), 'quiet']
  };
  return states[qpu.status];
}

/** Whether jobs may start there as far as switches and the calendar go; its driver may be away. */
export function isOpen(qpu: QpuModel): boolean {
  return qpu.status === 'online' || qpu.status === 'offline';
}
