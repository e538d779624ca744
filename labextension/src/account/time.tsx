import type * as React from 'react';
import type { IAction } from '../board/actions';
import { Board } from '../board/board';
import { Named, offerUndo, Word, when } from '../board/cells';
import type { IField } from '../board/form';
import { pages, whole } from '../board/listing';
import { useRows } from '../board/rows';
import { length, shortLength } from '../board/values';
import { at, send } from '../send';
import type { AccountModel, TimeRequestIn, TimeRequestList, TimeRequestModel } from '../wire';
import { accountsOf, askedAgain, groupOf, isCharge, isRequest, timeRequestOf } from './model';
import type { IAccountProps } from './view';

const PAGE = 50;

/** What is left of my time and my groups', and what I have asked for. */
export function Time(props: IAccountProps): React.ReactElement {
  return (
    <>
      <Accounts {...props} />
      <Requests {...props} />
    </>
  );
}

function Accounts({ manager, me, trans }: IAccountProps): React.ReactElement {
  const listing = useRows(manager, isCharge, () =>
    whole(() =>
      Promise.all(
        accountsOf(me.user).map(name => manager.request<AccountModel>(at('accounts', name)))
      )
    )
  );
  return (
    <Board
      title={trans.__('QPU time')}
      intro={trans.__(
        'Remaining QPU time. Queued jobs reserve their estimate; the unused part is returned.'
      )}
      trans={trans}
      listing={listing}
      rowKey={account => account.name}
      columns={[
        {
          head: trans.__('Account'),
          cell: ({ name }) => (
            <Named
              name={groupOf(name) ?? name}
              detail={groupOf(name) === null ? trans.__('yours') : trans.__('your group')}
            />
          )
        },
        {
          head: trans.__('Available'),
          cell: account =>
            account.available_s === null
              ? trans.__('unlimited')
              : shortLength(account.available_s, trans)
        },
        {
          head: trans.__('Balance'),
          cell: account =>
            account.limited || account.balance_s >= 0 ? shortLength(account.balance_s, trans) : '–'
        },
        { head: trans.__('Reserved'), cell: account => shortLength(account.held_s, trans) },
        { head: trans.__('Used this month'), cell: account => shortLength(account.used_s, trans) }
      ]}
      empty={trans.__('You have no QPU time account.')}
    />
  );
}

function Requests({ manager, me, trans }: IAccountProps): React.ReactElement {
  const { request } = manager;
  const path = `time-requests?mine=true&limit=${PAGE}`;
  const listing = useRows(manager, isRequest, () =>
    pages(request, path, (page: TimeRequestList) => page.requests)
  );
  const ask = (wanted: TimeRequestIn) => send(request, 'POST', 'time-requests', wanted);
  const mayAsk = me.permissions.includes('time:request');
  const words = {
    pending: trans.__('Pending'),
    approved: trans.__('Approved'),
    rejected: trans.__('Rejected'),
    withdrawn: trans.__('Withdrawn')
  };
  const forGroup: IField = {
    name: 'group',
    label: trans.__('For'),
    kind: 'choice',
    choices: [
      { value: '', label: trans.__('myself') },
      ...me.user.groups.map(group => ({ value: group, label: group }))
    ]
  };
  const create: IAction = {
    id: 'ask',
    label: trans.__('Request QPU time…'),
    ask: {
      fields: [
        {
          name: 'seconds',
          label: trans.__('Amount'),
          required: true,
          hint: trans.__('Such as 90 s, 5 min, 1.5 h.')
        },
        ...(me.user.groups.length > 0 ? [forGroup] : []),
        {
          name: 'reason',
          label: trans.__('Reason'),
          kind: 'area',
          longest: 2000,
          hint: trans.__('Shown to the managers who decide.')
        }
      ],
      submit: trans.__('Send request')
    },
    run: async values => ask(timeRequestOf(values, trans))
  };
  const actions = (asked: TimeRequestModel): readonly IAction[] =>
    asked.status !== 'pending'
      ? []
      : [
          {
            id: 'withdraw',
            label: trans.__('Withdraw'),
            run: async () => {
              await send(request, 'DELETE', at('time-requests', asked.id));
              const gone = trans.__('The request for %1 was withdrawn.', length(asked.seconds));
              offerUndo(trans, gone, listing, () => ask(askedAgain(asked)));
            }
          }
        ];
  return (
    <Board
      title={trans.__('My requests')}
      intro={trans.__(
        'Each request is answered once by a manager. Approved time is available at once.'
      )}
      trans={trans}
      listing={listing}
      rowKey={asked => asked.id}
      rowName={asked => length(asked.seconds)}
      columns={[
        {
          head: trans.__('Requested'),
          cell: asked => (
            <Named
              name={length(asked.seconds)}
              detail={trans.__('for %1', groupOf(asked.account) ?? trans.__('myself'))}
            />
          )
        },
        { head: trans.__('Reason'), cell: asked => asked.reason || '–' },
        {
          head: trans.__('Status'),
          cell: asked => <Word tone={asked.status}>{words[asked.status]}</Word>
        },
        { head: trans.__('Answer'), cell: asked => <Answer asked={asked} trans={trans} /> },
        { head: trans.__('Requested on'), cell: asked => when(asked.created_at) }
      ]}
      {...(mayAsk ? { create, actions } : {})}
      empty={trans.__('No requests.')}
    />
  );
}

/** What the manager said. */
function Answer(
  props: Pick<IAccountProps, 'trans'> & { readonly asked: TimeRequestModel }
): React.ReactElement {
  const { asked, trans } = props;
  const { status, answer, handled_by: by } = asked;
  if (by === null || status === 'withdrawn') {
    return <>–</>;
  }
  const outcome =
    status === 'approved'
      ? trans.__('%1 granted %2', by, length(asked.granted_s))
      : trans.__('rejected by %1', by);
  return (
    <>
      <div>{outcome}</div>
      {answer !== '' && <div className="jp-QPI-Detail">{answer}</div>}
    </>
  );
}
