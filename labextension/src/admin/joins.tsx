import * as React from 'react';
import type { IAction } from '../board/actions';
import { Board } from '../board/board';
import { Copied, Named, when } from '../board/cells';
import { whole } from '../board/listing';
import { ShownOnce } from '../board/once';
import { length } from '../board/values';
import { at, send } from '../send';
import type { JoinLinkList, JoinLinkModel } from '../wire';
import { type ISectionProps, useSectionRows } from './section';
import { joinLinkOf } from './values';

/** Links with which people make their own accounts. */
export function JoinLinks(props: ISectionProps): React.ReactElement {
  const { manager, trans } = props;
  const { request } = manager;
  const listing = useSectionRows(manager, 'joins', () =>
    whole(async () => {
      const { links, local_accounts } = await request<JoinLinkList>('join-links');
      setHasAccounts(local_accounts);
      return links;
    })
  );
  const [hasAccounts, setHasAccounts] = React.useState(true);
  const [made, setMade] = React.useState<JoinLinkModel | null>(null);
  const create: IAction = {
    id: 'make',
    label: trans.__('Create a join link'),
    ask: {
      fields: [
        {
          name: 'name',
          label: trans.__('Name'),
          longest: 200,
          hint: trans.__('What the link is for.')
        },
        { name: 'group', label: trans.__('Group'), hint: trans.__('Leave empty for none.') },
        {
          name: 'allowance',
          label: trans.__('QPU time for each person'),
          hint: trans.__("For example 1 h. Leave empty for the lab's default.")
        },
        { name: 'uses', label: trans.__('Number of people'), required: true },
        { name: 'days', label: trans.__('Valid for (days)'), required: true }
      ],
      initial: { uses: '1', days: '7' },
      submit: trans.__('Create link')
    },
    run: async values => setMade(await send(request, 'POST', 'join-links', joinLinkOf(values)))
  };
  const revoke = (link: JoinLinkModel): IAction => ({
    id: 'revoke',
    label: trans.__('Revoke'),
    ask: {
      text: trans.__('Nobody can join with it any more. Those who have joined stay.'),
      submit: trans.__('Revoke this link'),
      danger: true
    },
    run: async () => {
      await send(request, 'DELETE', at('join-links', link.id));
      setMade(shown => (shown?.id === link.id ? null : shown));
    }
  });
  return (
    <Board
      title={trans.__('Join links')}
      intro={
        hasAccounts
          ? trans.__('Whoever opens a join link creates an account of their own.')
          : trans.__(
              'This lab has no local accounts, so nobody can join it with a link: people sign in through Jupyter, a JupyterHub or a provider. To let them have accounts of the lab, set QPIServer.local_accounts and restart it.'
            )
      }
      trans={trans}
      listing={listing}
      rowKey={link => link.id}
      rowName={link => link.name || link.id}
      columns={[
        {
          head: trans.__('Name'),
          cell: link => (
            <Named
              name={link.name || '–'}
              detail={trans.__('%1, %2', link.created_by, when(link.created_at))}
            />
          )
        },
        { head: trans.__('Group'), cell: link => link.group ?? '–' },
        { head: trans.__('QPU time'), cell: link => length(link.allowance_s) || '–' },
        { head: trans.__('Used'), cell: link => trans.__('%1 of %2', link.used, link.uses) },
        { head: trans.__('Ends'), cell: link => when(link.expires_at) }
      ]}
      actions={link => [revoke(link)]}
      {...(hasAccounts ? { create } : {})}
      empty={trans.__('No join links.')}
    >
      {made !== null && (
        <ShownOnce
          key={made.id}
          label={trans.__('The new join link')}
          title={trans.__('Join link created')}
          text={trans.__('It is shown only once. Send it only to the people who should join.')}
          trans={trans}
          onClose={() => setMade(null)}
        >
          <Copied trans={trans} label={trans.__('Join link')} value={made.url ?? ''} />
        </ShownOnce>
      )}
    </Board>
  );
}
