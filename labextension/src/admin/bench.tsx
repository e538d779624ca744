import { Clipboard } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type {
  DriverDetail,
  DriverList,
  DriverRegistered,
  QpuChange,
  QpuList,
  QpuModel,
  SimulatorList,
  SimulatorModel
} from '../wire';
import { Board, type IAction } from './board';
import type { IField } from './form';
import { useLive, useQpus } from './live';
import { at, send, whole } from './model';
import { type ISectionProps, offerUndo, when } from './section';
import { optionLines, shown, simulatorOf, text, type Values } from './values';

const NAME_LENGTH = 64;

export function Qpus(props: ISectionProps): React.ReactElement {
  const { manager, trans, permissions } = props;
  const { request } = manager;
  const listing = useLive(manager, 'qpus', () =>
    whole(async () => (await request<QpuList>('qpus')).qpus)
  );
  const manages = permissions.includes('qpus:manage');
  const change = (qpu: QpuModel, body: QpuChange) =>
    send(request, 'PATCH', at('qpus', qpu.name), body);
  const actions = (qpu: QpuModel): readonly IAction[] => [
    qpu.status === 'disabled'
      ? { id: 'enable', label: trans.__('Enable'), run: () => change(qpu, { enabled: true }) }
      : {
          id: 'disable',
          label: trans.__('Disable'),
          ask: {
            text: trans.__('No new job starts on %1 until it is enabled again.', qpu.name),
            submit: trans.__('Disable'),
            danger: true
          },
          run: () => change(qpu, { enabled: false })
        },
    qpu.status === 'maintenance'
      ? {
          id: 'serve',
          label: trans.__('End maintenance'),
          run: () => change(qpu, { maintenance: false })
        }
      : {
          id: 'maintain',
          label: trans.__('Maintenance'),
          ask: {
            text: trans.__(
              'Jobs on %1 wait, and everybody sees that it is in maintenance.',
              qpu.name
            ),
            submit: trans.__('Set maintenance')
          },
          run: () => change(qpu, { maintenance: true })
        },
    qpu.hold !== null
      ? { id: 'resume', label: trans.__('Let go'), run: () => change(qpu, { hold: null }) }
      : {
          id: 'hold',
          label: trans.__('Hold'),
          ask: {
            text: trans.__('Jobs on %1 wait, and are told why.', qpu.name),
            fields: [{ name: 'hold', label: trans.__('Reason'), required: true, longest: 200 }],
            submit: trans.__('Hold')
          },
          run: values => change(qpu, { hold: text(values, 'hold') })
        },
    {
      id: 'describe',
      label: trans.__('Describe'),
      ask: {
        fields: [
          { name: 'description', label: trans.__('Description'), kind: 'area', longest: 1000 }
        ],
        initial: { description: qpu.description },
        submit: trans.__('Save')
      },
      run: values => change(qpu, { description: text(values, 'description') })
    },
    ...(manages ? [deletion(qpu)] : [])
  ];
  const deletion = (qpu: QpuModel): IAction => ({
    id: 'delete',
    label: trans.__('Delete'),
    ask: {
      text: trans.__(
        '%1 leaves the lab, and its drivers lose their tokens. Its jobs and statements stay.',
        qpu.name
      ),
      typed: qpu.name,
      submit: trans.__('Delete this QPU'),
      danger: true
    },
    run: () => send(request, 'DELETE', at('qpus', qpu.name))
  });
  const create: IAction = {
    id: 'register',
    label: trans.__('Register a QPU'),
    ask: {
      fields: [
        nameField(trans),
        {
          name: 'kind',
          label: trans.__('Kind'),
          kind: 'choice',
          choices: [
            { value: 'device', label: trans.__('device: one job at a time') },
            { value: 'pool', label: trans.__('pool: several places, as a simulator has') }
          ]
        },
        { name: 'description', label: trans.__('Description'), kind: 'area', longest: 1000 }
      ],
      initial: { kind: 'device' },
      submit: trans.__('Register')
    },
    run: values =>
      send(request, 'POST', 'qpus', {
        name: text(values, 'name'),
        kind: text(values, 'kind'),
        description: text(values, 'description')
      })
  };
  return (
    <Board
      title={trans.__('QPUs')}
      intro={trans.__('What runs here. What you switch takes effect within one job.')}
      trans={trans}
      listing={listing}
      rowKey={qpu => qpu.name}
      found={qpu => `${qpu.name} ${qpu.description} ${qpu.status}`}
      columns={[
        { head: trans.__('Name'), cell: qpu => <Named name={qpu.name} detail={qpu.description} /> },
        { head: trans.__('State'), cell: qpu => <Status qpu={qpu} trans={trans} /> },
        { head: trans.__('Kind'), cell: qpu => kindOf(qpu, trans) },
        {
          head: trans.__('Jobs'),
          cell: qpu => (
            <>
              <div>{trans.__('%1 running', qpu.running)}</div>
              <div>{trans.__('%1 waiting', qpu.queued)}</div>
            </>
          )
        }
      ]}
      actions={actions}
      {...(manages ? { create } : {})}
      empty={trans.__('No QPU is registered yet.')}
    />
  );
}

function kindOf(qpu: QpuModel, trans: TranslationBundle): string {
  const kind = qpu.kind === 'device' ? trans.__('device') : trans.__('pool');
  return qpu.simulator ? trans.__('%1, simulator', kind) : kind;
}

function Status(props: { qpu: QpuModel; trans: TranslationBundle }): React.ReactElement {
  const { qpu, trans } = props;
  const words = {
    online: trans.__('online'),
    offline: trans.__('offline'),
    maintenance: trans.__('in maintenance'),
    disabled: trans.__('disabled')
  };
  return (
    <>
      <Word tone={qpu.status}>{words[qpu.status]}</Word>
      {qpu.hold !== null && <div className="jp-QPI-Detail">{trans.__('held: %1', qpu.hold)}</div>}
    </>
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

function nameField(trans: TranslationBundle): IField {
  return {
    name: 'name',
    label: trans.__('Name'),
    required: true,
    longest: NAME_LENGTH,
    hint: trans.__('Letters, digits, dots, dashes and underscores.')
  };
}

export function Drivers(props: ISectionProps): React.ReactElement {
  const { manager, trans } = props;
  const { request } = manager;
  const listing = useLive(manager, 'drivers', () =>
    whole(async () => (await request<DriverList>('drivers')).drivers)
  );
  const [issued, setIssued] = React.useState<DriverRegistered | null>(null);
  const qpus = useQpus(manager).map(({ name }) => ({ value: name, label: name }));
  const create: IAction = {
    id: 'register',
    label: trans.__('Register a driver'),
    ask: {
      fields: [
        nameField(trans),
        { name: 'qpu', label: trans.__('QPU'), kind: 'choice', choices: qpus, required: true },
        {
          name: 'monitor',
          label: trans.__('Monitor only'),
          kind: 'switch',
          hint: trans.__('It sends readings and runs no jobs.')
        }
      ],
      submit: trans.__('Register')
    },
    run: async values =>
      setIssued(
        await send<DriverRegistered>(request, 'POST', 'drivers', {
          name: text(values, 'name'),
          qpu: text(values, 'qpu'),
          monitor: values.monitor === true
        })
      )
  };
  const actions = (driver: DriverDetail): readonly IAction[] =>
    driver.embedded
      ? []
      : [
          {
            id: 'renew',
            label: trans.__('New token'),
            ask: {
              text: trans.__(
                'The present token of %1 ends at once: the driver stops until it has the new one.',
                driver.name
              ),
              submit: trans.__('Make a new token'),
              danger: true
            },
            run: async () =>
              setIssued(
                await send<DriverRegistered>(request, 'POST', at('drivers', driver.name, 'token'))
              )
          },
          {
            id: 'revoke',
            label: trans.__('Revoke'),
            ask: {
              text: trans.__('%1 loses its token and its link, and what it runs.', driver.name),
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
      intro={trans.__(
        'The programs that run the jobs of a QPU, on the machines of the instruments.'
      )}
      trans={trans}
      listing={listing}
      rowKey={driver => driver.name}
      found={driver => `${driver.name} ${driver.qpu} ${driver.host}`}
      columns={[
        { head: trans.__('Name'), cell: driver => <Named name={driver.name} /> },
        { head: trans.__('QPU'), cell: driver => driver.qpu },
        {
          head: trans.__('State'),
          cell: driver => (
            <Word tone={driver.linked ? 'online' : 'offline'}>
              {driver.linked
                ? trans.__('linked')
                : driver.enabled
                  ? trans.__('not linked')
                  : trans.__('switched off')}
            </Word>
          )
        },
        {
          head: trans.__('Where'),
          cell: driver => <Named name={driver.host || '–'} detail={driver.version} />
        },
        { head: trans.__('Last hello'), cell: driver => when(driver.hello_at) },
        {
          head: trans.__('Runs as'),
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
      empty={trans.__('No driver is registered yet.')}
    >
      {issued !== null && <Issued issued={issued} trans={trans} onClose={() => setIssued(null)} />}
    </Board>
  );
}

/** What a driver needs, which the lab shows only once. */
function Issued(props: {
  readonly issued: DriverRegistered;
  readonly trans: TranslationBundle;
  readonly onClose: () => void;
}): React.ReactElement {
  const { issued, trans } = props;
  return (
    <section className="jp-QPI-AdminIssued" aria-label={trans.__('Token of %1', issued.name)}>
      <h3>{trans.__('%1 can start', issued.name)}</h3>
      <p className="jp-QPI-AdminText">
        {trans.__('The token in here is shown only now. Whoever has it can drive %1.', issued.qpu)}
      </p>
      <Copied trans={trans} label={trans.__('Command line')} value={issued.command} />
      <Copied trans={trans} label={trans.__('systemd unit')} value={issued.unit} />
      <Copied trans={trans} label={trans.__('Token')} value={issued.token} />
      {issued.ca_fingerprint !== null && (
        <Copied trans={trans} label={trans.__('CA fingerprint')} value={issued.ca_fingerprint} />
      )}
      <button type="button" className="jp-mod-styled" onClick={props.onClose}>
        {trans.__('I have copied it')}
      </button>
    </section>
  );
}

function Copied(props: {
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
        rows={Math.min(props.value.split('\n').length, 20)}
        value={props.value}
        onFocus={event => event.target.select()}
      />
    </div>
  );
}

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
