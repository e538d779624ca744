import type { TranslationBundle } from '@jupyterlab/translation';
import { Token } from '@lumino/coreutils';
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
  /** The circuit's place in the job, and the row of its parameter values. */
  readonly circuit?: number;
  readonly row?: number;
  readonly meas_level: number;
  readonly meas_return: string;
  /** Whether something was too large to be told. */
  readonly truncated: boolean;
  readonly data: {
    readonly counts?: Readonly<Record<string, number>>;
    readonly memory?: unknown;
  };
  readonly header: {
    readonly memory_slots: number;
    readonly creg_sizes?: readonly (readonly [string, number])[];
    readonly name?: string | null;
  };
  /** What is to be drawn of it; of a sweep all rows together, in the first of them. */
  readonly drawings?: readonly IDrawing[];
}

/** Shows one circuit's result. */
export type ResultDrawing = React.FunctionComponent<{
  readonly experiment: IExperiment;
  readonly trans: TranslationBundle;
}>;

/** How results are shown, by their kind; those of other kinds draw what their driver said. */
export type IResultDrawings = Map<string, ResultDrawing>;

export const IResultDrawings = new Token<IResultDrawings>('qpi-jupyter:IResultDrawings');

/** What others brought. */
export const resultDrawings: IResultDrawings = new Map();
