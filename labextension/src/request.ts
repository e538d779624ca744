import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type { LabClock } from './clock';
import type { ErrorBody } from './wire';

/** What the lab answers one REST request; rejects with the lab's own message where it says no. */
export type LabRequest = <T>(path: string, init?: RequestInit) => Promise<T>;

/** Requests to the lab inside the Jupyter server that `settings` point at; `clock` learns from each answer. */
export function labRequest(settings: ServerConnection.ISettings, clock?: LabClock): LabRequest {
  return async <T>(path: string, init: RequestInit = {}): Promise<T> => {
    const url = URLExt.join(settings.baseUrl, 'qpi/v1', path);
    // JupyterLab's own way past the browser's cache is a time stamp in the address
    const fresh: RequestInit = { cache: 'no-cache', ...init };
    const sent = Date.now();
    const response = await ServerConnection.makeRequest(url, fresh, settings);
    clock?.hear(response.headers.get('Date'), sent);
    if (!response.ok) {
      throw new ServerConnection.ResponseError(response, await saidBy(response));
    }
    return (await response.json()) as T;
  };
}

/** Whether the lab itself said no; without this, nobody answered. */
export function isRefusal(error: unknown): error is ServerConnection.ResponseError {
  return error instanceof ServerConnection.ResponseError;
}

/** What to tell people of something that went wrong. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The message in an error answer; a proxy's answer has none that we can read. */
async function saidBy(response: Response): Promise<string> {
  try {
    const body = (await response.json()) as Partial<ErrorBody>;
    return body.error?.message ?? response.statusText;
  } catch {
    return response.statusText;
  }
}
