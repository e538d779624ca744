import type { ServerConnection } from '@jupyterlab/services';

import { type LabRequest, labRequest } from './request';

/** Requests to this Jupyter server itself, below `qpi/`, and not to the lab that it shows. */
export function serverRequest(settings: ServerConnection.ISettings): LabRequest {
  return labRequest(settings, undefined, 'qpi');
}
