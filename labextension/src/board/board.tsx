import type { TranslationBundle } from '@jupyterlab/translation';
import { refreshIcon } from '@jupyterlab/ui-components';
import * as React from 'react';
import { useModel } from '../hooks';
import {
  ActionButton,
  Asked,
  type IAction,
  type IActionRunner,
  NEW,
  RowActions,
  useActionRunner
} from './actions';
import { Scroll } from './cells';
import { Problem } from './form';
import type { Listing } from './listing';

interface IColumn<T> {
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
  /** Where the lab searches: called with what is sought. */
  readonly onSeek?: (text: string) => void;
  readonly empty: string;
  readonly children?: React.ReactNode;
}

/** One section: its table, what can be done to a row, and what can be made new. */
export function Board<T>(props: IBoard<T>): React.ReactElement {
  const { trans, listing } = props;
  const state = useModel(listing);
  const runner = useActionRunner(listing);
  const [sought, setSought] = React.useState('');
  const rows = matching(props, state.rows, sought, runner.asked?.row);
  const seek = (text: string) => {
    setSought(text);
    props.onSeek?.(text);
  };
  const searches = props.onSeek === undefined && sought.trim() !== '';
  const { next, busy, problem } = state;
  React.useEffect(() => {
    if (searches && next !== null && !busy && problem === null) {
      void listing.rest(); // what matches may be on a page that has not been asked for
    }
  }, [listing, searches, next, busy, problem]);
  const gone =
    runner.asked !== null &&
    runner.asked.row !== NEW &&
    !runner.busy &&
    !state.rows.some(row => props.rowKey(row) === runner.asked?.row);
  return (
    <>
      <Head
        {...props}
        runner={runner}
        searchable={props.found !== undefined || props.onSeek !== undefined}
        onSeek={seek}
        sought={sought}
      />
      <p className="jp-QPI-AdminText">{props.intro}</p>
      {runner.asked?.row === NEW && <Asked action={props.create} trans={trans} runner={runner} />}
      {props.children}
      {gone && <Problem>{trans.__('What you were editing was deleted meanwhile.')}</Problem>}
      {runner.problem !== null && runner.asked === null && <Problem>{runner.problem}</Problem>}
      {state.problem !== null && <Problem>{state.problem}</Problem>}
      {rows.length > 0 && <Rows {...props} rows={rows} runner={runner} />}
      <p className="jp-QPI-AdminEmpty" role="status">
        {!state.loaded && state.busy && trans.__('Loading…')}
        {state.loaded &&
          rows.length === 0 &&
          (state.busy
            ? trans.__('Searching…')
            : sought.trim() === ''
              ? props.empty
              : trans.__('No matches.'))}
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

/** The rows that have every word of the search; the one that is being changed stays in sight. */
function matching<T>(
  board: IBoard<T>,
  rows: readonly T[],
  sought: string,
  asked: string | undefined
): readonly T[] {
  const { found } = board;
  const words = sought.toLowerCase().split(/\s+/);
  if (found === undefined) {
    return rows;
  }
  return rows.filter(row => {
    const text = found(row).toLowerCase();
    return words.every(word => text.includes(word)) || board.rowKey(row) === asked;
  });
}

function Head<T>(
  props: IBoard<T> & {
    readonly runner: IActionRunner;
    readonly sought: string;
    readonly searchable: boolean;
    readonly onSeek: (text: string) => void;
  }
): React.ReactElement {
  const { trans, create, listing, runner } = props;
  return (
    <div className="jp-QPI-AdminHead">
      <h2>{props.title}</h2>
      {props.searchable && (
        <input
          type="search"
          className="jp-mod-styled"
          aria-label={trans.__('Search')}
          placeholder={trans.__('Search')}
          maxLength={200}
          value={props.sought}
          onChange={event => props.onSeek(event.target.value)}
        />
      )}
      <button
        type="button"
        className="jp-mod-styled jp-QPI-AdminRefresh"
        title={trans.__('Refresh')}
        aria-label={trans.__('Refresh')}
        onClick={() => void listing.load()}
      >
        <refreshIcon.react tag="span" width="16px" height="16px" />
      </button>
      {create !== undefined && <ActionButton action={create} row={NEW} runner={runner} />}
    </div>
  );
}

function Rows<T>(
  props: IBoard<T> & { readonly rows: readonly T[]; readonly runner: IActionRunner }
): React.ReactElement {
  const { columns, runner, trans } = props;
  const width = columns.length + (props.actions === undefined ? 0 : 1);
  return (
    <Scroll label={props.title}>
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
                    <td className="jp-QPI-AdminRowActions" data-label={trans.__('Actions')}>
                      <RowActions
                        actions={actions}
                        row={key}
                        name={props.rowName?.(row) ?? key}
                        trans={trans}
                        runner={runner}
                      />
                    </td>
                  )}
                </tr>
                {runner.asked?.row === key && (
                  <tr>
                    <td colSpan={width} className="jp-QPI-AdminAsked">
                      <Asked
                        action={actions.find(({ id }) => id === runner.asked?.id)}
                        trans={trans}
                        runner={runner}
                      />
                    </td>
                  </tr>
                )}
              </React.Fragment>
            );
          })}
        </tbody>
      </table>
    </Scroll>
  );
}
