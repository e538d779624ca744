import type { TranslationBundle } from '@jupyterlab/translation';

/** The labels of a job that are plain text: what the table finds, the form edits, a job's page and its story show. */
export const TEXT_LABELS = ['project'] as const;
export type TextLabel = (typeof TEXT_LABELS)[number];
export type TextLabels = Readonly<Record<TextLabel, string>>;

/** A label in words. */
interface IWords {
  readonly label: string;
  /** On the job's page. */
  readonly shown: (value: string) => string;
  /** In its story. */
  readonly given: (by: string, value: string) => string;
  readonly removed: (by: string) => string;
}

export function labelWords(trans: TranslationBundle): Readonly<Record<TextLabel, IWords>> {
  return {
    project: {
      label: trans.__('Project'),
      shown: value => trans.__('project %1', value),
      given: (by, value) => trans.__('%1 put it into the project “%2”.', by, value),
      removed: by => trans.__('%1 took it out of its project.', by)
    }
  };
}

export function textLabels(of: (name: TextLabel) => string): TextLabels {
  return Object.fromEntries(TEXT_LABELS.map(name => [name, of(name)])) as TextLabels;
}
