import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { IChoice, IField } from '../board/form';
import { fieldsOf, type ISchema, valuesOf } from '../board/schema';
import { BadField, text, type Values } from '../board/values';
import type { ExecutorList, ExecutorModel } from '../wire';
import type { ISectionProps } from './section';

/** Stands in the choice of executors for one that the lab's server does not know. */
const ANOTHER = 'module:Class';

/** The executors that are installed beside the lab's server, once a process of its own has found out. */
export function useExecutors({ manager }: ISectionProps): readonly ExecutorModel[] {
  const [executors, setExecutors] = React.useState<readonly ExecutorModel[]>([]);
  React.useEffect(() => {
    let shown = true;
    manager
      .request<ExecutorList>('executors')
      .then(found => shown && setExecutors(found.executors))
      .catch(() => undefined); // what goes wrong is said where one is started
    return () => {
      shown = false;
    };
  }, [manager]);
  return executors;
}

export function schemaOf(executors: readonly ExecutorModel[], values: Values): ISchema {
  return executors.find(one => one.name === values.executor)?.options ?? {};
}

/** What is said below the choice of an executor. */
export function executorHint(
  executors: readonly ExecutorModel[],
  values: Values,
  trans: TranslationBundle
): string {
  return executors.length === 0
    ? trans.__('Looking at what is installed…')
    : (executors.find(one => one.name === values.executor)?.description ?? '');
}

/** The fields that ask what a driver is started with, on a machine where other executors may be installed. */
export function launchFields(
  executors: readonly ExecutorModel[],
  values: Values,
  onDevice: boolean,
  trans: TranslationBundle
): readonly IField[] {
  const choices: IChoice[] = executors.map(one => ({ value: one.name, label: one.name }));
  const chosen = executors.find(one => one.name === values.executor);
  const another = values.executor === ANOTHER;
  return [
    {
      name: 'executor',
      label: trans.__('Executor'),
      kind: 'choice',
      required: true,
      choices: [...choices, { value: ANOTHER, label: trans.__('Another one…') }],
      hint: another ? '' : executorHint(executors, values, trans)
    },
    ...(another
      ? [
          {
            name: 'another',
            label: trans.__('Executor’s name'),
            required: true,
            longest: 200,
            hint: trans.__(
              'As installed on the driver’s machine, or module:Class, such as my_lab.fridge:Fridge.'
            )
          },
          {
            name: 'options',
            label: trans.__('Options'),
            kind: 'area' as const,
            hint: trans.__('One KEY=VALUE per line.')
          }
        ]
      : fieldsOf(chosen?.options ?? {}, trans)),
    ...(onDevice && (another || chosen?.simulator !== false)
      ? [
          {
            name: 'allow_simulator',
            label: trans.__('Allow a simulator'),
            kind: 'switch' as const,
            hint: trans.__(
              'This QPU is a device. Without this, the lab refuses a driver whose executor simulates.'
            )
          }
        ]
      : []),
    {
      name: 'python',
      label: trans.__('Python on the driver’s machine'),
      longest: 500,
      hint: trans.__(
        'Path to the interpreter of its environment, such as /opt/qpi/bin/python. Default: the one of this server.'
      )
    }
  ];
}

/** What the command line of a driver is to carry. */
export interface ILaunch {
  readonly executor: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly python: string;
  readonly allow_simulator: boolean;
}

/**
 * What the fields say; a driver that the lab is going to refuse is not registered first.
 *
 * @throws BadField - options that cannot be read, or a simulator where a device is asked for.
 */
export function launchOf(
  values: Values,
  executors: readonly ExecutorModel[],
  onDevice: boolean,
  trans: TranslationBundle
): ILaunch {
  const another = values.executor === ANOTHER;
  const simulates = executors.find(one => one.name === values.executor)?.simulator === true;
  if (simulates && onDevice && values.allow_simulator !== true) {
    throw new BadField(
      trans.__(
        'This QPU is a device, and %1 is a simulator: choose another executor, or allow a simulator.',
        text(values, 'executor')
      )
    );
  }
  return {
    executor: text(values, another ? 'another' : 'executor'),
    options: another
      ? optionsIn(text(values, 'options'))
      : valuesOf(schemaOf(executors, values), values),
    python: text(values, 'python'),
    allow_simulator: values.allow_simulator === true
  };
}

/** Options that were written as on a command line. */
function optionsIn(written: string): Readonly<Record<string, string>> {
  const lines = written
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '');
  return Object.fromEntries(
    lines.map(line => {
      const at = line.indexOf('=');
      if (at < 1) {
        throw new BadField(`Cannot read “${line}” as an option: write KEY=VALUE.`);
      }
      return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    })
  );
}
