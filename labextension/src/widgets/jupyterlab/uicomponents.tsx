import type * as React from 'react';

/** What the lab's own modules take from `@jupyterlab/ui-components`, for pages without JupyterLab: a few signs. */
function sign(path: string) {
  function Sign(props: { tag?: 'span' | null }): React.ReactElement {
    const drawing = (
      <svg viewBox="0 0 24 24" width="16" height="16" aria-hidden="true">
        <path d={path} className="jp-icon3" fill="currentColor" />
      </svg>
    );
    return props.tag === null ? drawing : <span>{drawing}</span>;
  }
  return { react: Sign };
}

export const caretLeftIcon = sign('M14 17l-5-5 5-5z');
export const caretRightIcon = sign('M10 17l5-5-5-5z');
export const userIcon = sign(
  'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zm0 2c-4 0-8 2-8 5v1h16v-1c0-3-4-5-8-5z'
);
export const buildIcon = sign(
  'M22 19l-9-9a6 6 0 0 0-8-8l4 4-3 3-4-4a6 6 0 0 0 8 8l9 9a1 1 0 0 0 1 0l2-2a1 1 0 0 0 0-1z'
);
