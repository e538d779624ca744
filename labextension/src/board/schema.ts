import type { TranslationBundle } from '@jupyterlab/translation';

import type { IField } from './form';
import { BadField, text, type Values } from './values';

/** What is used here of a property's JSON Schema. */
interface IProperty {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  /** Nobody writes it by hand. */
  readonly readOnly?: boolean;
}

/** An object's JSON Schema, as executors declare their options. */
export interface ISchema {
  readonly properties?: Readonly<Record<string, IProperty>>;
  readonly required?: readonly string[];
}

const PREFIX = 'option ';

const WORDS: Readonly<Record<string, string>> = {
  integer: 'a whole number',
  number: 'a number',
  array: 'a list as JSON',
  object: 'an object as JSON'
};

/** A field for each property; left empty, it stays as its default. */
export function fieldsOf(schema: ISchema, trans: TranslationBundle): readonly IField[] {
  const asked = Object.entries(schema.properties ?? {}).filter(([, { readOnly }]) => !readOnly);
  return asked.map(([name, property]) => {
    const usual = property.default === undefined ? '' : shown(property.default);
    const values = property.type === 'boolean' ? [true, false] : property.enum;
    return {
      name: PREFIX + name,
      label: name,
      required: schema.required?.includes(name) ?? false,
      hint: [
        (property.description ?? '').replace(/^[a-z]/, first => first.toUpperCase()),
        usual === '' ? '' : trans.__('Default: %1', usual),
        property.type === 'array' || property.type === 'object' ? trans.__('Written as JSON.') : ''
      ]
        .filter(Boolean)
        .join('. '),
      ...(values === undefined
        ? numberOf(property)
        : {
            kind: 'choice' as const,
            choices: [
              { value: '', label: usual === '' ? '–' : usual },
              ...values.map(value => ({ value: shown(value), label: shown(value) }))
            ]
          })
    };
  });
}

/** A number within its bounds; of any other type a text. */
function numberOf({ type, minimum, maximum }: IProperty): Partial<IField> {
  return type === 'integer' || type === 'number'
    ? { kind: 'number', whole: type === 'integer', least: minimum, most: maximum }
    : {};
}

/** What was filled in, in the types of the schema; whether it is within its bounds, the lab says. */
export function valuesOf(schema: ISchema, values: Values): Readonly<Record<string, unknown>> {
  const filled = Object.entries(schema.properties ?? {}).filter(
    ([name]) => text(values, PREFIX + name) !== ''
  );
  return Object.fromEntries(
    filled.map(([name, property]) => [name, read(name, property, text(values, PREFIX + name))])
  );
}

function read(name: string, property: IProperty, written: string): unknown {
  if (property.enum !== undefined) {
    return property.enum.find(value => shown(value) === written);
  }
  if (property.type === 'string' || property.type === undefined) {
    return written;
  }
  try {
    return JSON.parse(written);
  } catch {
    throw new BadField(
      `Cannot read “${written}” as ${name}: enter ${WORDS[property.type] ?? 'JSON'}.`
    );
  }
}

/** Any JSON value as one line. */
export function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
