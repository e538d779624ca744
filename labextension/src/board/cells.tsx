import { Clipboard, Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { messageOf } from '../request';
import { formatOf } from '../words';
import type { IField } from './form';

/** Names that a table's cell shows. */
const SHOWN = 8;

/** Say what is gone, and offer to bring it back. */
export function offerUndo(
  trans: TranslationBundle,
  text: string,
  listing: { load(): Promise<void> },
  undo: () => Promise<unknown>
): void {
  const again = async () => {
    try {
      await undo();
      await listing.load();
    } catch (error) {
      Notification.error(messageOf(error));
    }
  };
  Notification.info(text, {
    autoClose: 10_000,
    actions: [{ label: trans.__('Undo'), callback: () => void again() }]
  });
}

/** Names in a table's cell: the first of them, and how many more. */
export function listed(names: readonly string[], trans: TranslationBundle): string {
  const more = names.length - SHOWN;
  const first = names.slice(0, SHOWN).join(', ') || '–';
  return more > 0 ? trans.__('%1 and %2 more', first, more) : first;
}

/** A moment as the reader's people write it, by their clock; a dash where there is none. */
export function when(iso: string | null): string {
  return iso === null
    ? '–'
    : formatOf({ dateStyle: 'medium', timeStyle: 'short' }).format(new Date(iso));
}

/** What may be wider than the tab: the keyboard scrolls it, too. */
export function Scroll(props: { label: string; children: React.ReactNode }): React.ReactElement {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: so that the keyboard scrolls it
    <section className="jp-QPI-AdminScroll" aria-label={props.label} tabIndex={0}>
      {props.children}
    </section>
  );
}

/** A state in words, with a mark whose shape says it too. */
export function Word(props: { tone: string; children: React.ReactNode }): React.ReactElement {
  return (
    <span className="jp-QPI-AdminWord" data-tone={props.tone}>
      {props.children}
    </span>
  );
}

export function Named(props: { name: string; detail?: string }): React.ReactElement {
  return (
    <>
      <strong className="jp-QPI-AdminName">{props.name}</strong>
      {props.detail ? <div className="jp-QPI-Detail">{props.detail}</div> : null}
    </>
  );
}

const NAME_LENGTH = 64;

export function nameField(trans: TranslationBundle): IField {
  return {
    name: 'name',
    label: trans.__('Name'),
    required: true,
    longest: NAME_LENGTH,
    hint: trans.__('Letters, digits, dots, dashes and underscores.')
  };
}

/** About how many rows a text fills. */
function rowsOf(value: string): number {
  return value.split('\n').reduce((rows, line) => rows + Math.ceil((line.length + 1) / 90), 0);
}

/** Text that one has to copy. */
export function Copied(props: {
  readonly trans: TranslationBundle;
  readonly label: string;
  readonly value: string;
}): React.ReactElement {
  const [done, setDone] = React.useState(false);
  const copy = () => {
    Clipboard.copyToSystem(props.value);
    setDone(true);
  };
  return (
    <div className="jp-QPI-AdminCopied">
      <span>{props.label}</span>
      <button
        type="button"
        className="jp-mod-styled"
        aria-label={props.trans.__('Copy: %1', props.label)}
        onClick={copy}
      >
        {done ? props.trans.__('Copied') : props.trans.__('Copy')}
      </button>
      <textarea
        readOnly
        aria-label={props.label}
        rows={Math.min(rowsOf(props.value), 20)}
        value={props.value}
        onFocus={event => event.target.select()}
      />
    </div>
  );
}
