import type { LabRequest } from './request';

/** Ask the lab to change something. */
export function send<T>(
  request: LabRequest,
  method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  body?: object
): Promise<T> {
  return request<T>(path, body === undefined ? { method } : { method, body: JSON.stringify(body) });
}

/** An address below qpi/v1/; every part after the first is quoted. */
export function at(first: string, ...parts: readonly string[]): string {
  return [first, ...parts.map(encodeURIComponent)].join('/');
}
