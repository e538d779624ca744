import type { TranslationBundle } from '@jupyterlab/translation';

import { nameField } from './cells';
import type { IQuestion } from './form';
import { nameIn, text, type Values } from './values';

/** What is asked of a QPU that is new to the lab. */
export function newQpu(trans: TranslationBundle): Pick<IQuestion, 'fields' | 'initial'> {
  return {
    fields: [
      nameField(trans),
      {
        name: 'kind',
        label: trans.__('Kind'),
        kind: 'choice',
        choices: [
          { value: 'device', label: trans.__('Device: one job at a time') },
          { value: 'pool', label: trans.__('Pool: several jobs at once, such as a simulator') }
        ]
      },
      { name: 'description', label: trans.__('Description'), kind: 'area', longest: 1000 }
    ],
    initial: { kind: 'device' }
  };
}

/** The same, as the lab takes it. */
export function newQpuIn(values: Values) {
  return {
    name: nameIn(values, 'name'),
    kind: text(values, 'kind'),
    description: text(values, 'description')
  };
}
