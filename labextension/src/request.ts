import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type { ErrorBody } from './wire';

/** What the lab answers one REST request; rejects with the lab's own message where it says no. */
export type LabRequest = <T>(path: string, init?: RequestInit) => Promise<T>;

/** The lab said no: its message, its `code`, and the figures behind them. */
export class LabError extends ServerConnection.ResponseError {
  constructor(
    response: Response,
    message: string,
    readonly code: string,
    readonly data: Readonly<Record<string, unknown>>
  ) {
    super(response, message);
  }
}

/** Requests to the lab inside the Jupyter server that `settings` point at. */
export function labRequest(settings: ServerConnection.ISettings): LabRequest {
  return async <T>(path: string, init: RequestInit = {}): Promise<T> => {
    const url = URLExt.join(settings.baseUrl, 'qpi/v1', path);
    // JupyterLab's own way past the browser's cache is a time stamp in the address
    const fresh: RequestInit = { cache: 'no-cache', ...init };
    const response = await ServerConnection.makeRequest(url, fresh, settings);
    if (!response.ok) {
      throw await refused(response);
    }
    return (await response.json()) as T;
  };
}

/** What an error answer says; a proxy's answer has nothing that we can read. */
async function refused(response: Response): Promise<LabError> {
  let error: Partial<ErrorBody['error']> = {};
  try {
    error = ((await response.json()) as Partial<ErrorBody>).error ?? {};
  } catch {
    // Not JSON: the status line is all there is.
  }
  const { message = response.statusText, code = '', data = {} } = error;
  return new LabError(response, message, code, data);
}
