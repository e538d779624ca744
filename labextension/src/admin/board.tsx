import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { type IQuestion, Problem, Question } from './form';
import { type IListing, type Listing, said } from './model';
import type { Values } from './values';

/** Something that can be done; with a question it is asked first, inside the page. */
export interface IAction {
  readonly id: string;
  readonly label: string;
  readonly ask?: IQuestion;
  readonly run: (values: Values) => Promise<unknown>;
}

export interface IColumn<T> {
  readonly head: string;
  readonly cell: (row: T) => React.ReactNode;
}

export interface IBoard<T> {
  readonly title: string;
  readonly intro: string;
  readonly trans: TranslationBundle;
  readonly listing: Listing<T>;
  readonly columns: readonly IColumn<T>[];
  readonly rowKey: (row: T) => string;
  /** What a row is called, where that is not its key. */
  readonly rowName?: (row: T) => string;
  readonly actions?: (row: T) => readonly IAction[];
  readonly create?: IAction;
  /** What a row is found by; without it there is no search. */
  readonly found?: (row: T) => string;
  readonly empty: string;
  readonly children?: React.ReactNode;
}

/** The rows of `listing`, as they change. */
export function useListing<T>(listing: Listing<T>): IListing<T> {
  return React.useSyncExternalStore(
    React.useCallback(
      (tell: () => void) => {
        listing.changed.connect(tell);
        return () => void listing.changed.disconnect(tell);
      },
      [listing]
    ),
    () => listing.state
  );
}

const NEW = '';

/** One section: its table, what can be done to a row, and what can be made new. */
export function Board<T>(props: IBoard<T>): React.ReactElement {
  const { trans, listing, create } = props;
  const state = useListing(listing);
  const deeds = useDeeds(listing);
  const [sought, setSought] = React.useState('');
  const words = sought.toLowerCase().split(/\s+/);
  const rows = state.rows.filter(row => {
    const text = props.found?.(row).toLowerCase() ?? '';
    return words.every(word => text.includes(word));
  });
  return (
    <>
      <div className="jp-QPI-AdminHead">
        <h2>{props.title}</h2>
        {props.found !== undefined && (
          <input
            type="search"
            className="jp-mod-styled"
            aria-label={trans.__('Search')}
            placeholder={trans.__('Search')}
            value={sought}
            onChange={event => setSought(event.target.value)}
          />
        )}
        {create !== undefined && <DeedButton action={create} row={NEW} deeds={deeds} />}
      </div>
      <p className="jp-QPI-AdminText">{props.intro}</p>
      {deeds.asked?.row === NEW && <Asked action={create} trans={trans} deeds={deeds} />}
      {props.children}
      {deeds.problem !== null && deeds.asked === null && <Problem>{deeds.problem}</Problem>}
      {state.problem !== null && <Problem>{state.problem}</Problem>}
      {rows.length > 0 && <Rows {...props} rows={rows} deeds={deeds} />}
      <p className="jp-QPI-AdminEmpty" role="status">
        {!state.loaded && state.busy && trans.__('Loading…')}
        {state.loaded &&
          rows.length === 0 &&
          (state.rows.length === 0 ? props.empty : trans.__('Nothing here matches the search.'))}
      </p>
      {state.next !== null && (
        <button
          type="button"
          className="jp-mod-styled"
          disabled={state.busy}
          onClick={() => void listing.more()}
        >
          {trans.__('Show more')}
        </button>
      )}
    </>
  );
}

interface IAsked {
  readonly row: string;
  readonly id: string;
}

interface IDeeds {
  readonly asked: IAsked | null;
  readonly busy: boolean;
  readonly problem: string | null;
  begin(row: string, action: IAction): void;
  close(): void;
  run(action: IAction, values: Values): Promise<void>;
}

/** What is being asked, done, or was refused on a board. */
function useDeeds<T>(listing: Listing<T>): IDeeds {
  const [asked, setAsked] = React.useState<IAsked | null>(null);
  const [busy, setBusy] = React.useState(false);
  const [problem, setProblem] = React.useState<string | null>(null);
  const close = () => {
    setAsked(null);
    setProblem(null);
  };
  const run = async (action: IAction, values: Values) => {
    setBusy(true);
    setProblem(null);
    try {
      await action.run(values);
      setAsked(null);
      await listing.load();
    } catch (error) {
      setProblem(said(error));
    } finally {
      setBusy(false);
    }
  };
  const begin = (row: string, action: IAction) => {
    if (busy) {
      return;
    }
    setProblem(null);
    if (action.ask === undefined) {
      setAsked(null);
      void run(action, {});
    } else {
      setAsked({ row, id: action.id });
    }
  };
  return { asked, busy, problem, begin, close, run };
}

/** The open question; it is looked up anew each time, so that its choices are those of now. */
function Asked(props: {
  readonly action: IAction | undefined;
  readonly trans: TranslationBundle;
  readonly deeds: IDeeds;
}): React.ReactElement | null {
  const { action, deeds } = props;
  return action?.ask === undefined ? null : (
    <Question
      key={`${deeds.asked?.row} ${action.id}`}
      question={action.ask}
      trans={props.trans}
      busy={deeds.busy}
      problem={deeds.problem}
      onSubmit={values => void deeds.run(action, values)}
      onClose={deeds.close}
    />
  );
}

function DeedButton(props: {
  readonly action: IAction;
  readonly row: string;
  readonly name?: string;
  readonly deeds: IDeeds;
}): React.ReactElement {
  const { action, row, deeds } = props;
  return (
    <button
      type="button"
      className={`jp-mod-styled jp-QPI-AdminDeed ${row === NEW ? 'jp-mod-accept' : ''}`}
      data-deed={action.id}
      aria-disabled={deeds.busy}
      aria-label={props.name === undefined ? undefined : `${action.label}: ${props.name}`}
      aria-expanded={
        action.ask === undefined
          ? undefined
          : deeds.asked?.row === row && deeds.asked.id === action.id
      }
      onClick={() => deeds.begin(row, action)}
    >
      {action.label}
    </button>
  );
}

function Rows<T>(
  props: IBoard<T> & { readonly rows: readonly T[]; readonly deeds: IDeeds }
): React.ReactElement {
  const { columns, deeds, trans } = props;
  const width = columns.length + (props.actions === undefined ? 0 : 1);
  return (
    <div className="jp-QPI-AdminScroll">
      <table className="jp-QPI-AdminTable" aria-label={props.title}>
        <thead>
          <tr>
            {columns.map(column => (
              <th key={column.head} scope="col">
                {column.head}
              </th>
            ))}
            {props.actions !== undefined && <th scope="col">{trans.__('Actions')}</th>}
          </tr>
        </thead>
        <tbody>
          {props.rows.map(row => {
            const key = props.rowKey(row);
            const actions = props.actions?.(row) ?? [];
            return (
              <React.Fragment key={key}>
                <tr data-key={key}>
                  {columns.map(column => (
                    <td key={column.head} data-label={column.head}>
                      {column.cell(row)}
                    </td>
                  ))}
                  {props.actions !== undefined && (
                    <td className="jp-QPI-AdminDeeds" data-label={trans.__('Actions')}>
                      {actions.map(action => (
                        <DeedButton
                          key={action.id}
                          action={action}
                          row={key}
                          name={props.rowName?.(row) ?? key}
                          deeds={deeds}
                        />
                      ))}
                    </td>
                  )}
                </tr>
                {deeds.asked?.row === key && (
                  <tr>
                    <td colSpan={width} className="jp-QPI-AdminAsked">
                      <Asked
                        action={actions.find(({ id }) => id === deeds.asked?.id)}
                        trans={trans}
                        deeds={deeds}
                      />
                    </td>
                  </tr>
                )}
              </React.Fragment>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
