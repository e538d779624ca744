import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Token } from '@lumino/coreutils';
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import type * as React from 'react';

/** What is to be drawn of a result, as its driver said it: see qpi_jupyter/data/drawings.py. */
export interface IDrawing {
  /** The form's name. */
  readonly draw: string;
  readonly label: string;
  readonly [part: string]: unknown;
}

/** What the lab tells of one circuit's result: Qiskit's JSON, the kind, and what is to be drawn. */
export interface IExperiment {
  readonly kind: string;
  readonly meas_level: number;
  readonly meas_return: string;
  /** Whether something was too large to be told. */
  readonly truncated: boolean;
  readonly data: {
    readonly counts?: Readonly<Record<string, number>>;
    readonly memory?: unknown;
  };
  readonly header: { readonly memory_slots: number };
  readonly drawings?: readonly IDrawing[];
}

/** Shows one circuit's result. */
export type ResultDrawing = React.FunctionComponent<{
  readonly experiment: IExperiment;
  readonly trans: TranslationBundle;
}>;

/** How results are shown, by their kind. */
export interface IResultDrawings {
  /** Show results of this kind so, until the answer is disposed of. */
  register(kind: string, drawing: ResultDrawing): IDisposable;
}

export const IResultDrawings = new Token<IResultDrawings>(
  'qpi-jupyter:IResultDrawings',
  'How the results of jobs are shown, by their kind.'
);

/** The newest drawing of a kind is taken; those that nobody registered draw what their driver said. */
class ResultDrawings implements IResultDrawings {
  register(kind: string, drawing: ResultDrawing): IDisposable {
    const entry = { kind, drawing };
    this._entries.unshift(entry);
    return new DisposableDelegate(() => {
      this._entries = this._entries.filter(one => one !== entry);
    });
  }

  of(kind: string): ResultDrawing | null {
    return this._entries.find(entry => entry.kind === kind)?.drawing ?? null;
  }

  private _entries: { readonly kind: string; readonly drawing: ResultDrawing }[] = [];
}

export const resultDrawings = new ResultDrawings();

export const drawingsPlugin: JupyterFrontEndPlugin<IResultDrawings> = {
  id: 'qpi-jupyter:drawings',
  description: 'How the results of jobs are shown, by their kind.',
  autoStart: true,
  provides: IResultDrawings,
  activate: () => resultDrawings
};
