/** What the lab's own modules take from `@jupyterlab/services`, for pages without JupyterLab. */
export namespace ServerConnection {
  export class ResponseError extends Error {
    constructor(
      readonly response: Response,
      message: string
    ) {
      super(message);
    }
  }

  export class NetworkError extends TypeError {
    constructor(original: TypeError) {
      super(original.message);
    }
  }

  /** A widget asks its kernel; nobody else. */
  export function makeRequest(): Promise<Response> {
    return Promise.reject(new Error('no server'));
  }
}
