/** What the lab's own modules take from `@jupyterlab/coreutils`, for pages without JupyterLab. */
export const URLExt = { join: (...parts: readonly string[]): string => parts.join('/') };
