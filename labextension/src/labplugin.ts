import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';
import type { Token } from '@lumino/coreutils';

type Tokens = readonly Token<unknown>[];
/** What tokens stand for. */
type Services<T extends Tokens, Absent = never> = {
  -readonly [K in keyof T]: (T[K] extends Token<infer S> ? S : never) | Absent;
};

/**
 * A plugin that starts with the page, as all of this extension do. `activate` gets the page, its words, and the services
 * in the order of their tokens; null is what a page has not.
 */
export function labPlugin<P, const N extends Tokens, const O extends Tokens>(
  name: string,
  description: string,
  requires: N,
  optional: O,
  activate: (
    app: JupyterFrontEnd,
    trans: TranslationBundle,
    ...services: [...Services<N>, ...Services<O, null>]
  ) => P,
  provides?: Token<P>
): JupyterFrontEndPlugin<P> {
  return {
    id: `qpi-jupyter:${name}`,
    description,
    autoStart: true,
    requires: [...requires],
    optional: [...optional, ITranslator],
    ...(provides && { provides }),
    activate: (app: JupyterFrontEnd, ...found: unknown[]) => {
      const translator = found.pop() as ITranslator | null;
      return activate(
        app,
        (translator ?? nullTranslator).load('qpi-jupyter'),
        ...(found as [...Services<N>, ...Services<O, null>])
      );
    }
  };
}
