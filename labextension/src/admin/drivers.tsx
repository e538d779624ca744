import * as React from 'react';
import type { IAction } from '../board/actions';
import { Board } from '../board/board';
import { Named, nameField, Word, when } from '../board/cells';
import { Issued } from '../board/issued';
import { whole } from '../board/listing';
import { nameIn, text } from '../board/values';
import { driverState } from '../driverstate';
import { useLab } from '../hooks';
import { DriverLogView } from '../qpu/driverlogview';
import { at, send } from '../send';
import type { DriverDetail, DriverList, DriverRegistered } from '../wire';
import { launchFields, launchOf, useExecutors } from './executors';
import { type ISectionProps, useSectionRows } from './section';

export function Drivers(props: ISectionProps): React.ReactElement {
  const { manager, trans } = props;
  const { request } = manager;
  const listing = useSectionRows(manager, 'drivers', () =>
    whole(async () => (await request<DriverList>('drivers')).drivers)
  );
  const [issued, setIssued] = React.useState<DriverRegistered | null>(null);
  const [renewed, setRenewed] = React.useState(false);
  const [logged, setLogged] = React.useState<DriverDetail | null>(null);
  const executors = useExecutors(props);
  const qpus = useLab(manager, state => state.qpus);
  const isDevice = (name: string) => qpus.some(qpu => qpu.name === name && qpu.kind === 'device');
  const create: IAction = {
    id: 'register',
    label: trans.__('Register a driver'),
    ask: {
      fields: values => [
        nameField(trans),
        {
          name: 'qpu',
          label: trans.__('QPU'),
          kind: 'choice',
          choices: qpus.map(({ name }) => ({ value: name, label: name })),
          required: true
        },
        {
          name: 'monitor',
          label: trans.__('Monitor only'),
          kind: 'switch',
          hint: trans.__('Sends readings, runs no jobs.')
        },
        ...launchFields(executors, values, isDevice(text(values, 'qpu')), trans)
      ],
      submit: trans.__('Register')
    },
    run: async values => {
      setIssued(
        await send<DriverRegistered>(request, 'POST', 'drivers', {
          name: nameIn(values, 'name'),
          qpu: text(values, 'qpu'),
          monitor: values.monitor === true,
          ...launchOf(values, executors, isDevice(text(values, 'qpu')), trans)
        })
      );
      setRenewed(false);
    }
  };
  const actions = (driver: DriverDetail): readonly IAction[] => [
    { id: 'log', label: trans.__('Log'), run: async () => setLogged(driver) },
    ...(driver.embedded ? [] : [...drainActions(driver), ...tokenActions(driver)])
  ];
  const drainActions = (driver: DriverDetail): readonly IAction[] =>
    driver.linked && !driver.draining
      ? [
          {
            id: 'drain',
            aside: true,
            label: trans.__('Drain'),
            ask: {
              text: trans.__(
                '%1 takes no more jobs, gives back those that it has not started, delivers the running ones, and then exits. This cannot be undone: start the driver again on its machine.',
                driver.name
              ),
              submit: trans.__('Drain this driver'),
              danger: true
            },
            run: () => send(request, 'POST', at('drivers', driver.name, 'drain'))
          }
        ]
      : [];
  const tokenActions = (driver: DriverDetail): readonly IAction[] => [
    {
      id: 'renew',
      aside: true,
      label: trans.__('New token'),
      ask: {
        text: trans.__(
          'The current token of %1 stops working at once, and so does the driver until it has the new one.',
          driver.name
        ),
        submit: trans.__('Create new token'),
        danger: true
      },
      run: async () => {
        setIssued(
          await send<DriverRegistered>(request, 'POST', at('drivers', driver.name, 'token'))
        );
        setRenewed(true);
      }
    },
    {
      id: 'revoke',
      label: trans.__('Revoke'),
      ask: {
        text: trans.__(
          'Revokes the token of %1 and disconnects it. What it runs is interrupted.',
          driver.name
        ),
        typed: driver.name,
        submit: trans.__('Revoke this driver'),
        danger: true
      },
      run: () => send(request, 'DELETE', at('drivers', driver.name))
    }
  ];
  return (
    <Board
      title={trans.__('Drivers')}
      intro={trans.__('The programs that run the jobs of a QPU, on the instruments’ machines.')}
      trans={trans}
      listing={listing}
      rowKey={driver => driver.name}
      found={driver => `${driver.name} ${driver.qpu} ${driver.host}`}
      columns={[
        { head: trans.__('Name'), cell: driver => <Named name={driver.name} /> },
        { head: trans.__('QPU'), cell: driver => driver.qpu },
        {
          head: trans.__('Status'),
          cell: driver => {
            const [word, tone] = driverState(driver, trans);
            return (
              <>
                <Word tone={tone}>{word}</Word>
                {driver.problem && (
                  <div className="jp-QPI-Detail">{trans.__('Refused: %1', driver.problem)}</div>
                )}
              </>
            );
          }
        },
        {
          head: trans.__('Machine'),
          cell: driver => <Named name={driver.host || '–'} detail={driver.version} />
        },
        { head: trans.__('Last connected'), cell: driver => when(driver.hello_at) },
        {
          head: trans.__('Type'),
          cell: driver =>
            driver.embedded
              ? trans.__('simulator of this server')
              : driver.monitor
                ? trans.__('monitor')
                : trans.__('driver')
        }
      ]}
      actions={actions}
      create={create}
      empty={trans.__('No drivers yet.')}
    >
      {issued !== null && (
        <Issued
          key={issued.token}
          issued={issued}
          renewed={renewed}
          trans={trans}
          onClose={() => setIssued(null)}
        />
      )}
      {logged !== null && (
        <DriverLogView
          key={logged.name}
          manager={manager}
          qpu={logged.qpu}
          driver={logged.name}
          trans={trans}
          onClose={() => setLogged(null)}
        />
      )}
    </Board>
  );
}
