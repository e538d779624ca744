import type { TranslationBundle } from '@jupyterlab/translation';

/** The words as they stand in the code: outside of JupyterLab nobody translates them. */
export const english = {
  __: filled,
  gettext: filled,
  _n: plural,
  ngettext: plural,
  _p: (_context: string, text: string, ...values: unknown[]) => filled(text, ...values),
  pgettext: (_context: string, text: string, ...values: unknown[]) => filled(text, ...values),
  _np: (_context: string, one: string, many: string, n: number, ...values: unknown[]) =>
    plural(one, many, n, ...values),
  npgettext: (_context: string, one: string, many: string, n: number, ...values: unknown[]) =>
    plural(one, many, n, ...values),
  dcnpgettext: (
    _domain: string,
    _context: string,
    one: string,
    many: string,
    n: number,
    ...values: unknown[]
  ) => plural(one, many, n, ...values)
} satisfies TranslationBundle;

function filled(text: string, ...values: unknown[]): string {
  return text.replace(/%(\d+)/g, (_, n) => String(values[Number(n) - 1]));
}

function plural(one: string, many: string, n: number, ...values: unknown[]): string {
  return filled(n === 1 ? one : many, n, ...values);
}
