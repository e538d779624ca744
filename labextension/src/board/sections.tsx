import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { handFocus, keepFocus } from '../focus';

/** The content of a tab that has sections: the focus goes to the chosen one, and back to it when it is lost. */
export abstract class SectionsWidget extends ReactWidget {
  constructor() {
    super();
    this.addClass('jp-QPI-Admin');
    keepFocus(this.node, () => this._chosen);
  }

  protected override onActivateRequest(): void {
    void handFocus(this, () => this._chosen);
  }

  private get _chosen(): HTMLElement | null {
    return this.node.querySelector('[role=tab][aria-selected=true]');
  }
}

/** A list of sections, through which the arrow keys walk, and beside it the chosen one. */
export function Sections<Id extends string>(props: {
  /** What the list is of. */
  readonly label: string;
  readonly sections: readonly Id[];
  readonly titles: Readonly<Record<Id, string>>;
  readonly current: Id;
  readonly onChoose: (section: Id) => void;
  readonly children: React.ReactNode;
}): React.ReactElement {
  const { current, onChoose, sections, titles } = props;
  const id = React.useId();
  const list = React.useRef<HTMLDivElement>(null);
  const walk = (event: React.KeyboardEvent) => {
    const now = sections.indexOf(current);
    const to = {
      ArrowDown: now + 1,
      ArrowRight: now + 1,
      ArrowUp: now - 1,
      ArrowLeft: now - 1,
      Home: 0,
      End: sections.length - 1
    }[event.key];
    const next = to === undefined ? undefined : sections[(to + sections.length) % sections.length];
    if (next !== undefined) {
      event.preventDefault();
      onChoose(next);
      list.current?.querySelector<HTMLElement>(`[data-section="${next}"]`)?.focus();
    }
  };
  return (
    <div className="jp-QPI-AdminBody">
      <div
        ref={list}
        role="tablist"
        aria-orientation="vertical"
        aria-label={props.label}
        className="jp-QPI-AdminNav"
        onKeyDown={walk}
      >
        {sections.map(section => (
          <button
            key={section}
            type="button"
            role="tab"
            id={`${id}-${section}`}
            data-section={section}
            aria-selected={section === current}
            aria-controls={`${id}-panel`}
            tabIndex={section === current ? 0 : -1}
            onClick={() => onChoose(section)}
          >
            {titles[section]}
          </button>
        ))}
      </div>
      <div
        role="tabpanel"
        id={`${id}-panel`}
        aria-labelledby={`${id}-${current}`}
        className="jp-QPI-AdminSection"
        data-section={current}
      >
        {props.children}
      </div>
    </div>
  );
}
