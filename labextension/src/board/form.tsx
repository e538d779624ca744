import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { text, touchedOf, type Values } from './values';

export interface IChoice {
  readonly value: string;
  readonly label: string;
  readonly disabled?: boolean;
}

/** A field of a form. */
export interface IField {
  readonly name: string;
  readonly label: string;
  readonly kind?: 'text' | 'number' | 'area' | 'choice' | 'switch' | 'moment' | 'secret';
  readonly choices?: readonly IChoice[];
  readonly required?: boolean;
  readonly hint?: string;
  readonly longest?: number;
  /** Of a number: its bounds, and whether it is a whole one. */
  readonly least?: number | undefined;
  readonly most?: number | undefined;
  readonly whole?: boolean;
}

/** What to ask before something is done: fields, or only whether one means it. */
export interface IQuestion {
  readonly text?: string;
  readonly fields?: readonly IField[] | ((values: Values) => readonly IField[]);
  readonly initial?: Values;
  /** What must be typed before it can be done. */
  readonly typed?: string;
  /** What is done. */
  readonly submit: string;
  readonly danger?: boolean;
}

/** The fields of a question, as they are where these values stand. */
export function asked(question: IQuestion | undefined, values: Values): readonly IField[] {
  const { fields } = question ?? {};
  return typeof fields === 'function' ? fields(values) : (fields ?? []);
}

/** A question inside the page. Escape closes it; what was refused stands below, and nothing typed is lost. */
export function Question(props: {
  readonly question: IQuestion;
  readonly trans: TranslationBundle;
  readonly busy: boolean;
  readonly problem: string | null;
  readonly onSubmit: (values: Values, touched: ReadonlySet<string>) => void;
  readonly onClose: () => void;
}): React.ReactElement {
  const { question, trans, busy, problem } = props;
  const [opened] = React.useState<Values>(question.initial ?? {});
  const [values, setValues] = React.useState(opened);
  const meanwhile = touchedOf(opened, question.initial ?? {}).size > 0;
  const [typed, setTyped] = React.useState('');
  const [blank, setBlank] = React.useState<string | null>(null);
  const form = React.useRef<HTMLFormElement>(null);
  React.useLayoutEffect(() => {
    const [node, opener] = [form.current, document.activeElement];
    node?.querySelector<HTMLElement>('input, select, textarea, button')?.focus();
    return () => {
      const { activeElement, body } = document;
      // A button that is switched off while the lab works has lost the focus to the body.
      if (
        opener instanceof HTMLElement &&
        (activeElement === body || node?.contains(activeElement))
      ) {
        opener.focus();
      }
    };
  }, []);
  const ready = question.typed === undefined || typed === question.typed;
  const fields = asked(question, values);
  return (
    <form
      ref={form}
      className="jp-QPI-AdminForm"
      noValidate // what is wrong is said in the form
      aria-label={question.submit}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          props.onClose();
        }
      }}
      onSubmit={event => {
        event.preventDefault();
        const empty = fields.find(field => field.required && text(values, field.name) === '');
        setBlank(empty?.label ?? null);
        if (ready && !busy && empty === undefined) {
          props.onSubmit(values, touchedOf(opened, values));
        }
      }}
    >
      {question.text !== undefined && <p className="jp-QPI-AdminText">{question.text}</p>}
      <div className="jp-QPI-AdminFields">
        {fields.map(field => (
          <Field
            key={field.name}
            field={field}
            value={values[field.name] ?? ''}
            onChange={value => setValues({ ...values, [field.name]: value })}
          />
        ))}
        {question.typed !== undefined && (
          <Field
            field={{
              name: 'typed',
              label: trans.__('Type %1 to confirm', question.typed),
              required: true
            }}
            value={typed}
            onChange={value => setTyped(String(value))}
          />
        )}
      </div>
      {meanwhile && !busy && (
        <p className="jp-QPI-AdminText" role="status">
          {trans.__(
            'This was changed meanwhile. Saving replaces only the fields that you have edited.'
          )}
        </p>
      )}
      {blank !== null ? (
        <Problem>{trans.__('“%1” is required.', blank)}</Problem>
      ) : (
        problem !== null && <Problem>{problem}</Problem>
      )}
      <div className="jp-QPI-AdminActions">
        <button
          type="submit"
          className={`jp-mod-styled ${question.danger ? 'jp-mod-warn' : 'jp-mod-accept'}`}
          disabled={busy || !ready}
          aria-busy={busy}
        >
          {question.submit}
        </button>
        <button type="button" className="jp-mod-styled jp-mod-reject" onClick={props.onClose}>
          {trans.__('Close')}
        </button>
        <span role="status" className="jp-QPI-Detail">
          {busy && trans.__('Saving…')}
        </span>
      </div>
    </form>
  );
}

/** Why something was refused. */
export function Problem(props: { readonly children: React.ReactNode }): React.ReactElement {
  return (
    <p className="jp-QPI-AdminProblem" role="alert">
      {props.children}
    </p>
  );
}

const TYPES: Readonly<Partial<Record<NonNullable<IField['kind']>, string>>> = {
  moment: 'datetime-local',
  number: 'number',
  secret: 'password'
};

export function Field(props: {
  readonly field: IField;
  readonly value: string | boolean;
  readonly onChange: (value: string | boolean) => void;
}): React.ReactElement {
  const { field, value } = props;
  const id = React.useId();
  const common = {
    id,
    name: field.name,
    required: field.required ?? false,
    'aria-describedby': field.hint ? `${id}-hint` : undefined
  };
  const shown = String(value);
  const set = (event: { readonly target: { readonly value: string } }) =>
    props.onChange(event.target.value);
  let input: React.ReactElement;
  switch (field.kind ?? 'text') {
    case 'switch':
      input = (
        <input
          {...common}
          type="checkbox"
          checked={value === true}
          onChange={event => props.onChange(event.target.checked)}
        />
      );
      break;
    case 'choice':
      input = (
        <select {...common} className="jp-mod-styled" value={shown} onChange={set}>
          {field.required && shown === '' && <option value="">–</option>}
          {field.choices?.map(choice => (
            <option key={choice.value} value={choice.value} disabled={choice.disabled}>
              {choice.label}
            </option>
          ))}
        </select>
      );
      break;
    case 'area':
      input = (
        <textarea
          {...common}
          className="jp-mod-styled"
          rows={3}
          maxLength={field.longest}
          value={shown}
          onChange={set}
        />
      );
      break;
    default:
      input = (
        <input
          {...common}
          className="jp-mod-styled"
          type={TYPES[field.kind ?? 'text'] ?? 'text'}
          {...(field.kind === 'number' && {
            min: field.least,
            max: field.most,
            step: field.whole ? 1 : 'any'
          })}
          autoComplete={field.kind === 'secret' ? 'new-password' : 'off'}
          maxLength={field.longest}
          value={shown}
          onChange={set}
        />
      );
  }
  return (
    <div className="jp-QPI-AdminField" data-kind={field.kind ?? 'text'}>
      <label htmlFor={id}>{field.label}</label>
      {input}
      {field.hint && (
        <small id={`${id}-hint`} className="jp-QPI-Detail">
          {field.hint}
        </small>
      )}
    </div>
  );
}
