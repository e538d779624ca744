import type * as React from 'react';
import type { IAction } from '../board/actions';
import { Board } from '../board/board';
import { Named, Word, when } from '../board/cells';
import type { IField } from '../board/form';
import { pages } from '../board/listing';
import { amount, length, shortLength, text, type Values } from '../board/values';
import { at, send } from '../send';
import type { AccountList, AccountModel, TimeRequestList, TimeRequestModel } from '../wire';
import { type ISectionProps, useSectionRows } from './section';
import { answerOf } from './values';

const PAGE = 100;

export function Accounts(props: ISectionProps): React.ReactElement {
  const { manager, trans } = props;
  const { request } = manager;
  const listing = useSectionRows(manager, 'accounts', () =>
    pages(request, `accounts?limit=${PAGE}`, (page: AccountList) => page.accounts)
  );
  const howMuch: IField = {
    name: 'seconds',
    label: trans.__('QPU time'),
    required: true,
    hint: trans.__('Such as 90 s, 5 min, 1.5 h.')
  };
  const reason: IField = { name: 'reason', label: trans.__('Reason'), longest: 2000 };
  const grant = (account: string, values: Values, sign: number) =>
    send(request, 'POST', at('accounts', account, 'grants'), {
      seconds: sign * amount(text(values, 'seconds')),
      reason: text(values, 'reason')
    });
  const limit = (account: AccountModel, limited: boolean | null) =>
    send(request, 'PATCH', at('accounts', account.name), { limited });
  const actions = (account: AccountModel): readonly IAction[] => [
    {
      id: 'grant',
      label: trans.__('Grant'),
      ask: { fields: [howMuch, reason], submit: trans.__('Grant') },
      run: values => grant(account.name, values, 1)
    },
    {
      id: 'take',
      label: trans.__('Take back'),
      ask: { fields: [howMuch, reason], submit: trans.__('Take back'), danger: true },
      run: values => grant(account.name, values, -1)
    },
    account.limited
      ? {
          id: 'unlimit',
          aside: true,
          label: trans.__('Make unlimited'),
          run: () => limit(account, false)
        }
      : { id: 'limit', aside: true, label: trans.__('Limit'), run: () => limit(account, true) },
    {
      id: 'default',
      aside: true,
      label: trans.__('Use the lab’s default'),
      run: () => limit(account, null)
    }
  ];
  return (
    <Board
      title={trans.__('QPU time')}
      intro={trans.__(
        'Accounts of people and groups. An unlimited one is metered and never runs out.'
      )}
      trans={trans}
      listing={listing}
      rowKey={account => account.name}
      found={account => account.name}
      columns={[
        { head: trans.__('Account'), cell: account => <Named name={account.name} /> },
        {
          head: trans.__('Balance'),
          cell: account =>
            account.limited || account.balance_s >= 0 ? shortLength(account.balance_s, trans) : '–'
        },
        {
          head: trans.__('Available'),
          cell: account =>
            account.available_s === null
              ? trans.__('unlimited')
              : shortLength(account.available_s, trans)
        },
        { head: trans.__('Reserved'), cell: account => shortLength(account.held_s, trans) },
        { head: trans.__('Used this month'), cell: account => shortLength(account.used_s, trans) }
      ]}
      actions={actions}
      create={{
        id: 'grant',
        label: trans.__('Grant QPU time'),
        ask: {
          fields: [
            {
              name: 'account',
              label: trans.__('To'),
              required: true,
              hint: trans.__('A person’s name, or group:NAME, such as group:spin-team.')
            },
            howMuch,
            reason
          ],
          submit: trans.__('Grant')
        },
        run: values => grant(text(values, 'account'), values, 1)
      }}
      empty={trans.__('No accounts yet. The first grant or job creates one.')}
    />
  );
}

export function Requests(props: ISectionProps): React.ReactElement {
  const { manager, trans } = props;
  const { request } = manager;
  const listing = useSectionRows(manager, 'requests', () =>
    pages(request, `time-requests?limit=${PAGE}`, (page: TimeRequestList) => page.requests)
  );
  const words = {
    pending: trans.__('Pending'),
    approved: trans.__('Approved'),
    rejected: trans.__('Rejected'),
    withdrawn: trans.__('Withdrawn')
  };
  const reason: IField = {
    name: 'reason',
    label: trans.__('Reason'),
    kind: 'area',
    longest: 2000,
    hint: trans.__('Shown to the requester.')
  };
  const answer = (asked: TimeRequestModel, status: 'approved' | 'rejected', values: Values) =>
    send(request, 'POST', at('time-requests', asked.id, 'answer'), answerOf(status, values));
  const actions = (asked: TimeRequestModel): readonly IAction[] =>
    asked.status !== 'pending'
      ? []
      : [
          {
            id: 'approve',
            label: trans.__('Approve'),
            ask: {
              fields: [
                {
                  name: 'seconds',
                  label: trans.__('Grant'),
                  hint: trans.__('Default: the amount requested.')
                },
                reason
              ],
              initial: { seconds: length(asked.seconds) },
              submit: trans.__('Approve')
            },
            run: values => answer(asked, 'approved', values)
          },
          {
            id: 'reject',
            label: trans.__('Reject'),
            ask: { fields: [reason], submit: trans.__('Reject'), danger: true },
            run: values => answer(asked, 'rejected', values)
          }
        ];
  return (
    <Board
      title={trans.__('Time requests')}
      intro={trans.__('Requests for QPU time. Each is answered once.')}
      trans={trans}
      listing={listing}
      rowKey={asked => asked.id}
      rowName={asked => asked.person}
      found={asked => [asked.person, asked.account, asked.reason, asked.status].join(' ')}
      columns={[
        {
          head: trans.__('Requester'),
          cell: asked => (
            <Named
              name={asked.person}
              {...(asked.account === asked.person ? {} : { detail: asked.account })}
            />
          )
        },
        { head: trans.__('Requested'), cell: asked => length(asked.seconds) },
        { head: trans.__('Reason'), cell: asked => asked.reason || '–' },
        {
          head: trans.__('Status'),
          cell: asked => (
            <>
              <Word tone={asked.status}>{words[asked.status]}</Word>
              {asked.handled_by !== null && (
                <div className="jp-QPI-Detail">
                  {trans.__('by %1: %2', asked.handled_by, length(asked.granted_s) || '–')}{' '}
                  {asked.answer}
                </div>
              )}
            </>
          )
        },
        { head: trans.__('Requested on'), cell: asked => when(asked.created_at) }
      ]}
      actions={actions}
      empty={trans.__('No requests.')}
    />
  );
}
