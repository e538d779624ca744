import { Signal } from '@lumino/signaling';

interface IAction {
  readonly label: string;
  readonly callback: () => void;
}

interface IOptions {
  readonly autoClose?: number | false;
  readonly actions?: readonly IAction[];
}

/** Something to tell the person, and what can be done about it. */
export interface INote {
  readonly text: string;
  readonly bad: boolean;
  readonly actions: readonly IAction[];
  /** How long it stays (ms); false: until the next one. */
  readonly stays: number | false;
}

const STAYS = 5_000;

/** Emitted when the widget of this module has something to tell. */
export const notes = new Signal<object, INote>({});

/** What the lab's own modules take from `@jupyterlab/apputils`, for pages without JupyterLab: a line in the widget. */
export namespace Notification {
  export function success(text: string, options: IOptions = {}): string {
    return note(text, false, options);
  }

  export function info(text: string, options: IOptions = {}): string {
    return note(text, false, options);
  }

  export function error(text: string, options: IOptions = {}): string {
    return note(text, true, { autoClose: false, ...options });
  }

  function note(text: string, bad: boolean, { actions = [], autoClose = STAYS }: IOptions): string {
    notes.emit({ text, bad, actions, stays: autoClose });
    return '';
  }
}
