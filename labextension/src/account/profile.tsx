import type * as React from 'react';
import type { IAction } from '../board/actions';
import { Board } from '../board/board';
import { Named, when } from '../board/cells';
import { whole } from '../board/listing';
import { useRows } from '../board/rows';
import { text } from '../board/values';
import { at, send } from '../send';
import type { Me, UserChange } from '../wire';
import { hasPassword, isPerson } from './model';
import type { IAccountProps } from './view';

/** Who I am in the lab, and what of that is mine to change. */
export function Profile({ manager, trans }: IAccountProps): React.ReactElement {
  const { request } = manager;
  const listing = useRows(manager, isPerson, () =>
    whole(async () => {
      const me = await manager.identify();
      return me === null ? [] : [me];
    })
  );
  const edit = ({ user }: Me): IAction => ({
    id: 'edit',
    label: trans.__('Edit'),
    ask: {
      fields: [{ name: 'display_name', label: trans.__('Full name'), longest: 200 }],
      initial: { display_name: user.display_name },
      submit: trans.__('Save')
    },
    run: values => {
      const change: UserChange = { display_name: text(values, 'display_name') };
      return send(request, 'PATCH', at('users', user.name), change);
    }
  });
  const password: IAction = {
    id: 'password',
    label: trans.__('Change password'),
    ask: {
      text: trans.__('Ends your other sign-ins. API tokens stay valid.'),
      fields: [
        {
          name: 'current',
          label: trans.__('Current password'),
          kind: 'secret',
          required: true,
          longest: 256
        },
        {
          name: 'new',
          label: trans.__('New password'),
          kind: 'secret',
          required: true,
          longest: 256,
          hint: trans.__('At least 10 characters.')
        }
      ],
      submit: trans.__('Save password')
    },
    // A blank around it may be part of a password
    run: values =>
      send(request, 'POST', 'me/password', { current: values.current, new: values.new })
  };
  return (
    <Board
      title={trans.__('Profile')}
      intro={trans.__(
        'Your profile in this lab. E-mail address, roles and groups come from its managers, Jupyter, the Hub or your sign-in provider.'
      )}
      trans={trans}
      listing={listing}
      rowKey={me => me.user.name}
      columns={[
        {
          head: trans.__('Name'),
          cell: ({ user }) => <Named name={user.name} detail={user.display_name} />
        },
        { head: trans.__('E-mail'), cell: ({ user }) => user.email || '–' },
        { head: trans.__('Roles'), cell: ({ user }) => user.roles.join(', ') || '–' },
        { head: trans.__('Groups'), cell: ({ user }) => user.groups.join(', ') || '–' },
        { head: trans.__('Member since'), cell: ({ user }) => when(user.created_at) }
      ]}
      actions={me => (hasPassword(me) ? [edit(me), password] : [edit(me)])}
      empty={trans.__('No profile: this server has no person’s account.')}
    />
  );
}
