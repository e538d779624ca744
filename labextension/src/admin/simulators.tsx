import type * as React from 'react';
import { Board } from '../board/board';
import { Named, nameField, offerUndo, Word } from '../board/cells';
import type { IAction } from '../board/deeds';
import { at, send, whole } from '../board/listing';
import type { Values } from '../board/values';
import type { SimulatorList, SimulatorModel } from '../wire';
import { useLive } from './live';
import type { ISectionProps } from './section';
import { optionLines, shown, simulatorOf } from './values';

export function Simulators(props: ISectionProps): React.ReactElement {
  const { manager, trans } = props;
  const { request } = manager;
  const listing = useLive(manager, 'simulators', () =>
    whole(async () => (await request<SimulatorList>('simulators')).simulators)
  );
  const start = (values: Values) => send(request, 'POST', 'simulators', simulatorOf(values));
  const create: IAction = {
    id: 'start',
    label: trans.__('Start a simulator'),
    ask: {
      fields: [
        nameField(trans),
        {
          name: 'executor',
          label: trans.__('Executor'),
          kind: 'choice',
          choices: [
            {
              value: 'qiskit_aer',
              label: trans.__('qiskit_aer: all methods, noise, fake backends')
            },
            { value: 'mock', label: trans.__('mock: a small chip in pure Python') }
          ]
        },
        { name: 'places', label: trans.__('Jobs at a time'), required: true },
        {
          name: 'qpu',
          label: trans.__('QPU'),
          hint: trans.__('Empty: called as the simulator is.')
        },
        {
          name: 'options',
          label: trans.__('Options'),
          kind: 'area',
          hint: trans.__('One a line, such as num_qubits = 5 or fake_backend = generic-5.')
        },
        { name: 'description', label: trans.__('Description'), longest: 1000 }
      ],
      initial: { executor: 'qiskit_aer', places: '1' },
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
        'Simulators that this lab’s server runs beside itself: they start at once, and again with the lab. A stopped one leaves its QPU and its results.'
      )}
      trans={trans}
      listing={listing}
      rowKey={one => one.name}
      columns={[
        { head: trans.__('Name'), cell: one => <Named name={one.name} detail={one.description} /> },
        { head: trans.__('QPU'), cell: one => one.qpu },
        {
          head: trans.__('State'),
          cell: one => (
            <Word tone={one.linked ? 'online' : one.running ? 'starting' : 'offline'}>
              {one.linked
                ? trans.__('running')
                : one.running
                  ? trans.__('starting')
                  : trans.__('not running')}
            </Word>
          )
        },
        { head: trans.__('Executor'), cell: one => one.executor },
        {
          head: trans.__('Options'),
          cell: one => (
            <code title={optionLines(one.options)}>
              {Object.entries(one.options)
                .map(([name, value]) => `${name}=${shown(value)}`)
                .join(', ') || '–'}
            </code>
          )
        },
        { head: trans.__('Places'), cell: one => one.places }
      ]}
      actions={actions}
      create={create}
      empty={trans.__('This server runs no simulator.')}
    />
  );
}
