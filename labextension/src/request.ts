import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type { LabClock } from './clock';
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

const LAB = 'qpi/v1';

/** JupyterLab's own way past the browser's cache is a time stamp in the address, which the lab does not know. */
const FRESH: RequestInit = { cache: 'no-cache' };

/**
 * Requests to the lab inside the Jupyter server that `settings` point at, or with another `base` to that server itself;
 * `clock` learns from each answer.
 */
export function labRequest(
  settings: ServerConnection.ISettings,
  clock?: LabClock,
  base = LAB
): LabRequest {
  return async <T>(path: string, init?: RequestInit): Promise<T> => {
    const response = await answer(settings, `${base}/${path}`, init, clock);
    return (response.status === 204 ? null : await response.json()) as T;
  };
}

/** What the lab answers a request for a file, as it is. */
export type LabFile = (path: string) => Promise<Blob>;

/** Files of the lab inside the Jupyter server that `settings` point at. */
export function labFile(settings: ServerConnection.ISettings): LabFile {
  return async path => (await answer(settings, `${LAB}/${path}`)).blob();
}

async function answer(
  settings: ServerConnection.ISettings,
  path: string,
  init?: RequestInit,
  clock?: LabClock
): Promise<Response> {
  const url = URLExt.join(settings.baseUrl, path);
  const sent = Date.now();
  const response = await ServerConnection.makeRequest(url, { ...FRESH, ...init }, settings);
  clock?.hear(response.headers.get('Date'), sent);
  if (!response.ok) {
    throw await refused(response);
  }
  return response;
}

/** Whether the lab itself said no; without this, nobody answered. */
export function isRefusal(error: unknown): error is ServerConnection.ResponseError {
  return error instanceof ServerConnection.ResponseError;
}

/** Whether the lab, or the Jupyter server before it, does not know who asks, or lets them do nothing. */
export function isShutOut(error: unknown): boolean {
  return isRefusal(error) && [401, 403].includes(error.response.status);
}

/** What to tell people of something that went wrong. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
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
