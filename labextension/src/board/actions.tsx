import type { TranslationBundle } from '@jupyterlab/translation';
import { ellipsesIcon } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import { Menu } from '@lumino/widgets';
import * as React from 'react';
import { messageAt } from '../messageat';
import { asked as fieldsAsked, type IQuestion, Problem, Question } from './form';
import type { Listing } from './listing';
import type { Values } from './values';

/** Something that can be done; with a question it is asked first, inside the page. */
export interface IAction {
  readonly id: string;
  readonly label: string;
  readonly ask?: IQuestion;
  /** Rarely wanted: it stands in the row's menu. */
  readonly aside?: boolean;
  /** Do it; `touched` names the fields that whoever asks has changed. */
  readonly run: (values: Values, touched: ReadonlySet<string>) => Promise<unknown>;
}

/** The row of what is made new. */
export const NEW = '';

interface IAsked {
  readonly row: string;
  readonly id: string;
}

export interface IActionRunner {
  readonly asked: IAsked | null;
  readonly busy: boolean;
  readonly problem: string | null;
  begin(row: string, action: IAction): void;
  close(): void;
  run(action: IAction, values: Values, touched: ReadonlySet<string>): Promise<void>;
}

/** What is being asked, done, or was refused on a board. */
export function useActionRunner<T>(listing: Listing<T>): IActionRunner {
  const [asked, setAsked] = React.useState<IAsked | null>(null);
  const [busy, setBusy] = React.useState(false);
  const [problem, setProblem] = React.useState<string | null>(null);
  const close = () => {
    setAsked(null);
    setProblem(null);
  };
  const run = async (action: IAction, values: Values, touched: ReadonlySet<string>) => {
    setBusy(true);
    setProblem(null);
    try {
      await action.run(values, touched);
      setAsked(null);
      await listing.load();
    } catch (error) {
      const fields = fieldsAsked(action.ask, values);
      const labels = Object.fromEntries(fields.map(field => [field.name, field.label]));
      setProblem(messageAt(error, labels));
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
      void run(action, {}, new Set());
    } else {
      setAsked({ row, id: action.id });
    }
  };
  return { asked, busy, problem, begin, close, run };
}

/** The open question; it is looked up anew each time, so that its choices are those of now. */
export function Asked(props: {
  readonly action: IAction | undefined;
  readonly trans: TranslationBundle;
  readonly runner: IActionRunner;
}): React.ReactElement | null {
  const { action, runner, trans } = props;
  if (action?.ask === undefined) {
    return runner.busy ? null : (
      <Problem>{trans.__('This was changed meanwhile. Check it and try again.')}</Problem>
    );
  }
  return (
    <Question
      key={`${runner.asked?.row} ${action.id}`}
      question={action.ask}
      trans={trans}
      busy={runner.busy}
      problem={runner.problem}
      onSubmit={(values, touched) => void runner.run(action, values, touched)}
      onClose={runner.close}
    />
  );
}

export function ActionButton(props: {
  readonly action: IAction;
  readonly row: string;
  readonly name?: string;
  readonly runner: IActionRunner;
}): React.ReactElement {
  const { action, row, runner } = props;
  return (
    <button
      type="button"
      className={`jp-mod-styled jp-QPI-AdminRowAction ${row === NEW ? 'jp-mod-accept' : ''}`}
      data-action={action.id}
      aria-disabled={runner.busy}
      aria-label={props.name === undefined ? undefined : `${action.label}: ${props.name}`}
      aria-expanded={
        action.ask === undefined
          ? undefined
          : runner.asked?.row === row && runner.asked.id === action.id
      }
      onClick={event => {
        // The second half of a double click may meet the button of another row.
        if (action.ask !== undefined || event.detail < 2) {
          runner.begin(row, action);
        }
      }}
    >
      {action.label}
    </button>
  );
}

/** What can be done to a row: what is often wanted as buttons, the rest in a menu. */
export function RowActions(props: {
  readonly actions: readonly IAction[];
  readonly row: string;
  readonly name: string;
  readonly trans: TranslationBundle;
  readonly runner: IActionRunner;
}): React.ReactElement {
  const { actions, row, name, runner, trans } = props;
  const aside = actions.filter(action => action.aside);
  return (
    <div className="jp-QPI-AdminRowActionBar">
      {actions
        .filter(action => !action.aside)
        .map((action, place) => (
          // A button keeps its place, and the focus, when what it does is turned round.
          <ActionButton key={`${place}`} action={action} row={row} name={name} runner={runner} />
        ))}
      {aside.length > 0 && (
        <button
          type="button"
          className="jp-mod-styled jp-QPI-AdminRowAction jp-QPI-AdminMore"
          aria-haspopup="menu"
          aria-label={trans.__('More: %1', name)}
          title={trans.__('More')}
          aria-disabled={runner.busy}
          onClick={event =>
            openMenu(event.currentTarget, aside, action => runner.begin(row, action))
          }
        >
          <ellipsesIcon.react tag="span" width="16px" height="16px" />
        </button>
      )}
    </div>
  );
}

/** JupyterLab's own menu below `button`, which has the focus again when it closes. */
function openMenu(
  button: HTMLElement,
  actions: readonly IAction[],
  begin: (action: IAction) => void
): void {
  const commands = new CommandRegistry();
  const menu = new Menu({ commands });
  for (const action of actions) {
    commands.addCommand(action.id, { label: action.label, execute: () => begin(action) });
    menu.addItem({ command: action.id });
  }
  menu.aboutToClose.connect(() => button.focus());
  const { left, bottom } = button.getBoundingClientRect();
  menu.open(left, bottom);
}
