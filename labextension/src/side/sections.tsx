import type { IStateDB } from '@jupyterlab/statedb';
import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import type * as React from 'react';
import { useId, useState } from 'react';

const KEY = 'qpi-jupyter:side:closed';

/** Which sections of the side panel are closed, kept over reloads. */
export class Sections {
  constructor(
    private readonly _stateDB: IStateDB | null,
    closed: readonly string[] = []
  ) {
    this._closed = new Set(closed);
  }

  static async load(stateDB: IStateDB | null): Promise<Sections> {
    const kept = await stateDB?.fetch(KEY).catch(() => undefined);
    return new Sections(stateDB, Array.isArray(kept) ? kept.map(String) : []);
  }

  isOpen(name: string): boolean {
    return !this._closed.has(name);
  }

  toggle(name: string): void {
    if (!this._closed.delete(name)) {
      this._closed.add(name);
    }
    void this._stateDB?.save(KEY, [...this._closed]);
  }

  private readonly _closed: Set<string>;
}

/** A section with a heading that opens and closes it. */
export function Section(props: {
  name: string;
  title: string;
  sections: Sections;
  /** How many things are in it, for a closed one too. */
  count?: number;
  children: React.ReactNode;
}): React.ReactElement {
  const { name, sections, title } = props;
  const [open, setOpen] = useState(sections.isOpen(name));
  const id = useId();
  const toggle = () => {
    sections.toggle(name);
    setOpen(sections.isOpen(name));
  };
  const Caret = open ? caretDownIcon : caretRightIcon;
  return (
    <section className="jp-QPI-Section" aria-label={title} data-section={name}>
      <h2 className="jp-QPI-Heading">
        <button type="button" aria-expanded={open} aria-controls={id} onClick={toggle}>
          <Caret.react tag="span" aria-hidden="true" />
          {title}
          {props.count ? <span className="jp-QPI-Count">{props.count}</span> : null}
        </button>
      </h2>
      <div id={id} hidden={!open}>
        {props.children}
      </div>
    </section>
  );
}
