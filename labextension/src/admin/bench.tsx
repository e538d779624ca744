import type { TranslationBundle } from '@jupyterlab/translation';
import type * as React from 'react';
import type { IAction } from '../board/actions';
import { Board } from '../board/board';
import { Named, Word } from '../board/cells';
import { whole } from '../board/listing';
import { newQpu, newQpuIn } from '../board/newqpu';
import { text } from '../board/values';
import { condition } from '../prospects';
import { at, send } from '../send';
import { qpuState } from '../states';
import type { QpuChange, QpuList, QpuModel } from '../wire';
import { type ISectionProps, useSectionRows } from './section';

export function Qpus(props: ISectionProps): React.ReactElement {
  const { manager, trans, permissions } = props;
  const { request } = manager;
  const listing = useSectionRows(manager, 'qpus', () =>
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
          aside: true,
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
              'Jobs on %1 wait, and everyone sees that it is in maintenance.',
              qpu.name
            ),
            submit: trans.__('Set maintenance')
          },
          run: () => change(qpu, { maintenance: true })
        },
    qpu.hold !== null
      ? { id: 'resume', label: trans.__('Release hold'), run: () => change(qpu, { hold: null }) }
      : {
          id: 'hold',
          label: trans.__('Hold'),
          ask: {
            text: trans.__('Jobs on %1 wait. The reason is shown with them.', qpu.name),
            fields: [{ name: 'hold', label: trans.__('Reason'), required: true, longest: 200 }],
            submit: trans.__('Hold')
          },
          run: values => change(qpu, { hold: text(values, 'hold') })
        },
    {
      id: 'describe',
      aside: true,
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
    aside: true,
    label: trans.__('Delete'),
    ask: {
      text: trans.__(
        'Removes %1 from the lab and revokes its drivers. Its jobs and statements are kept.',
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
      ...newQpu(trans),
      submit: trans.__('Register')
    },
    run: values => send(request, 'POST', 'qpus', newQpuIn(values))
  };
  return (
    <Board
      title={trans.__('QPUs')}
      intro={trans.__('Changes apply after the running job.')}
      trans={trans}
      listing={listing}
      rowKey={qpu => qpu.name}
      found={qpu => `${qpu.name} ${qpu.description} ${qpu.status}`}
      columns={[
        { head: trans.__('Name'), cell: qpu => <Named name={qpu.name} detail={qpu.description} /> },
        { head: trans.__('Status'), cell: qpu => <Status qpu={qpu} trans={trans} /> },
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
      empty={trans.__('No QPUs yet.')}
    />
  );
}

function kindOf(qpu: QpuModel, trans: TranslationBundle): string {
  const kind = qpu.kind === 'device' ? trans.__('Device') : trans.__('Pool');
  return qpu.simulator ? trans.__('%1, simulator', kind) : kind;
}

function Status(props: { qpu: QpuModel; trans: TranslationBundle }): React.ReactElement {
  const { qpu, trans } = props;
  const why = condition(qpu, Date.now(), trans);
  return (
    <>
      <Word tone={qpu.status}>{qpuState(qpu, trans)[0]}</Word>
      {why && <div className="jp-QPI-Detail">{why}</div>}
    </>
  );
}
