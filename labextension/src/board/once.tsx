import type { TranslationBundle } from '@jupyterlab/translation';
import type * as React from 'react';

/** Where to read on. */
function focused(heading: HTMLElement | null): void {
  heading?.focus();
}

/** What the lab shows only once: its heading has the focus, and it stays until somebody is done with it. */
export function ShownOnce(props: {
  readonly label: string;
  readonly title: string;
  readonly text: React.ReactNode;
  readonly trans: TranslationBundle;
  readonly onClose: () => void;
  readonly children: React.ReactNode;
}): React.ReactElement {
  return (
    <section className="jp-QPI-AdminIssued" aria-label={props.label}>
      <h3 ref={focused} tabIndex={-1}>
        {props.title}
      </h3>
      <p className="jp-QPI-AdminText">{props.text}</p>
      {props.children}
      <button type="button" className="jp-mod-styled" onClick={props.onClose}>
        {props.trans.__('Done')}
      </button>
    </section>
  );
}
