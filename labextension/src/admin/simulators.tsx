import type { TranslationBundle } from '@jupyterlab/translation';
import type * as React from 'react';
import type { IAction } from '../board/actions';
import { Board } from '../board/board';
import { Named, nameField, offerUndo, Word } from '../board/cells';
import type { IChoice } from '../board/form';
import { whole } from '../board/listing';
import { fieldsOf, shown } from '../board/schema';
import type { Values } from '../board/values';
import { at, send } from '../send';
import type { ExecutorModel, SimulatorList, SimulatorModel } from '../wire';
import { executorHint, schemaOf, useExecutors } from './executors';
import { type ISectionProps, useSectionRows } from './section';
import { optionLines, simulatorOf } from './values';

function choiceOf(one: ExecutorModel, trans: TranslationBundle): IChoice {
  const why =
    one.problem ||
    (one.simulator === false ? trans.__('drives an instrument: register a driver for it') : '');
  const what = why || one.summary;
  return { value: one.name, label: what ? `${one.name}: ${what}` : one.name, disabled: why !== '' };
}

/** The tone and the word of a simulator's state. */
function stateOf(one: SimulatorModel, trans: TranslationBundle): [string, string] {
  if (one.linked) {
    return ['online', trans.__('Running')];
  }
  if (one.problem !== '') {
    return ['offline', trans.__('Does not start')];
  }
  return one.running ? ['starting', trans.__('Starting')] : ['offline', trans.__('Not running')];
}

/** Without what makes a twin one, which nobody can read. */
function shownOptions({ options }: SimulatorModel): SimulatorModel['options'] {
  return Object.fromEntries(Object.entries(options).filter(([name]) => name !== 'twin'));
}

export function Simulators(props: ISectionProps): React.ReactElement {
  const { manager, trans } = props;
  const { request } = manager;
  const listing = useSectionRows(manager, 'simulators', () =>
    whole(async () => (await request<SimulatorList>('simulators')).simulators)
  );
  const executors = useExecutors(props);
  const start = (values: Values) =>
    send(request, 'POST', 'simulators', simulatorOf(values, schemaOf(executors, values)));
  const create: IAction = {
    id: 'start',
    label: trans.__('Start a simulator'),
    ask: {
      fields: values => [
        nameField(trans),
        {
          name: 'executor',
          label: trans.__('Executor'),
          kind: 'choice',
          required: true,
          choices: executors.map(one => choiceOf(one, trans)),
          hint: executorHint(executors, values, trans)
        },
        { name: 'places', label: trans.__('Parallel jobs'), required: true },
        {
          name: 'qpu',
          label: trans.__('QPU'),
          hint: trans.__('Default: the simulator’s name.')
        },
        { name: 'description', label: trans.__('Description'), longest: 1000 },
        ...fieldsOf(schemaOf(executors, values), trans)
      ],
      initial: { places: '1' },
      submit: trans.__('Start')
    },
    run: start
  };
  const actions = (one: SimulatorModel): readonly IAction[] => [
    {
      id: 'stop',
      label: trans.__('Stop'),
      run: async () => {
        await send(request, 'DELETE', at('simulators', one.name));
        const body = {
          name: one.name,
          executor: one.executor,
          qpu: one.qpu,
          options: one.options,
          places: one.places,
          description: one.description
        };
        offerUndo(trans, trans.__('The simulator %1 has stopped.', one.name), listing, () =>
          send(request, 'POST', 'simulators', body)
        );
      }
    }
  ];
  return (
    <Board
      title={trans.__('Simulators')}
      intro={trans.__(
        'Simulators on the lab’s own server. They start at once, and again with the lab. Stopping one keeps its QPU and its results.'
      )}
      trans={trans}
      listing={listing}
      rowKey={one => one.name}
      columns={[
        { head: trans.__('Name'), cell: one => <Named name={one.name} detail={one.description} /> },
        { head: trans.__('QPU'), cell: one => one.qpu },
        {
          head: trans.__('Status'),
          cell: one => {
            const [tone, word] = stateOf(one, trans);
            return (
              <>
                <Word tone={tone}>{word}</Word>
                {one.problem !== '' && <div className="jp-QPI-Detail">{one.problem}</div>}
              </>
            );
          }
        },
        {
          head: trans.__('Executor'),
          cell: one => (
            <Named
              name={one.executor}
              detail={one.twin_of === null ? '' : trans.__('Twin of %1', one.twin_of)}
            />
          )
        },
        {
          head: trans.__('Options'),
          cell: one => (
            <code title={optionLines(shownOptions(one))}>
              {Object.entries(shownOptions(one))
                .map(([name, value]) => `${name}=${shown(value)}`)
                .join(', ') || '–'}
            </code>
          )
        },
        { head: trans.__('Parallel jobs'), cell: one => one.places }
      ]}
      actions={actions}
      create={create}
      empty={trans.__('No simulators are running on this server.')}
    />
  );
}
