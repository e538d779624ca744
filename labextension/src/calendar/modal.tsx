import * as React from 'react';

/** A modal dialog of the browser's own: it keeps the focus, and Escape closes it. */
export function Modal(props: {
  readonly label: string;
  readonly onClose: () => void;
  readonly children: React.ReactNode;
}): React.ReactElement {
  const node = React.useRef<HTMLDialogElement>(null);
  React.useLayoutEffect(() => {
    const dialog = node.current;
    dialog?.showModal();
    return () => dialog?.close(); // gives the focus back, which taking it out would not
  }, []);
  return (
    <dialog
      ref={node}
      className="jp-QPI-Modal"
      aria-label={props.label}
      data-lm-suppress-shortcuts="true"
      onCancel={event => {
        event.preventDefault(); // React closes it, by not rendering it
        props.onClose();
      }}
      onKeyDown={event => event.stopPropagation()}
    >
      <h2 className="jp-QPI-ModalTitle">{props.label}</h2>
      {props.children}
    </dialog>
  );
}

export interface IButtonProps {
  readonly onClick?: () => void;
  readonly look?: 'accept' | 'reject' | 'warn';
  readonly type?: 'button' | 'submit';
  readonly disabled?: boolean;
  /** What it is called, where its sign does not say so. */
  readonly label?: string;
  readonly children: React.ReactNode;
}

export function Button(props: IButtonProps): React.ReactElement {
  const { look = 'reject', type = 'button', disabled = false, label } = props;
  return (
    <button
      type={type}
      className={`jp-QPI-Button jp-mod-styled jp-mod-${look}`}
      disabled={disabled}
      aria-label={label}
      title={label}
      onClick={props.onClick}
    >
      {props.children}
    </button>
  );
}
