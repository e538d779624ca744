import { ServerConnection } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import { messageAt } from '../messageat';
import { LabError } from '../request';

export interface IInterval {
  readonly start_at: string;
  readonly end_at: string;
}

/** Why something was not booked, and what could be booked instead. */
export interface IRefusal {
  /** The lab's own sentence. */
  readonly message: string;
  /** The next free interval of the same length, if the lab knows one. */
  readonly nextFree: IInterval | null;
}

/** `labels` are what a form calls its fields, if there is a form. */
export function refusalOf(error: unknown, labels: Readonly<Record<string, string>> = {}): IRefusal {
  const message = messageAt(error, labels);
  const found = error instanceof LabError ? error.data.next_free : null;
  return { message, nextFree: isInterval(found) ? found : null };
}

function isInterval(value: unknown): value is IInterval {
  return (
    typeof value === 'object' &&
    value !== null &&
    'start_at' in value &&
    'end_at' in value &&
    typeof value.start_at === 'string' &&
    typeof value.end_at === 'string'
  );
}

/** The same error, in words that say what to do where it is not the lab that speaks. */
export function reworded(error: unknown, trans: TranslationBundle): unknown {
  if (error instanceof ServerConnection.NetworkError) {
    return new Error(trans.__('The lab does not answer. Try again in a moment.'));
  }
  const status = error instanceof ServerConnection.ResponseError ? error.response.status : 0;
  const ofLab = error instanceof LabError && error.code !== '';
  if ([401, 403].includes(status) && !ofLab) {
    return new Error(
      trans.__(
        'You are signed out. Sign in to Jupyter in another tab of the browser, then try again.'
      )
    );
  }
  return error;
}
