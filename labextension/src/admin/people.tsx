import type * as React from 'react';
import type { IAction } from '../board/actions';
import { Board } from '../board/board';
import { listed, Named, Word, when } from '../board/cells';
import type { IField } from '../board/form';
import { pages, whole } from '../board/listing';
import { nameIn, names, text } from '../board/values';
import { at, send } from '../send';
import type { GroupList, GroupModel, UserList, UserModel } from '../wire';
import { type ISectionProps, useSectionRows } from './section';
import { passwordIn, touchedPart, userChangeOf } from './values';

const PAGE = 100;

export function People(props: ISectionProps): React.ReactElement {
  const { manager, trans, permissions } = props;
  const { request } = manager;
  const listing = useSectionRows(manager, 'people', () =>
    pages(request, `users?limit=${PAGE}`, (page: UserList) => page.users)
  );
  const grants = permissions.includes('roles:grant');
  const roles: readonly IField[] = [
    { name: 'role-user', label: trans.__('User'), kind: 'switch' },
    { name: 'role-manager', label: trans.__('Manager'), kind: 'switch' },
    { name: 'role-admin', label: trans.__('Admin'), kind: 'switch' },
    { name: 'role-service', label: trans.__('Service'), kind: 'switch' }
  ];
  const fields: readonly IField[] = [
    { name: 'display_name', label: trans.__('Full name'), longest: 200 },
    { name: 'email', label: trans.__('E-mail'), longest: 200 },
    {
      name: 'groups',
      label: trans.__('Groups'),
      kind: 'area',
      hint: trans.__('Names, separated by commas or line breaks.')
    },
    ...(grants ? roles : [])
  ];
  const actions = (user: UserModel): readonly IAction[] => [
    {
      id: 'edit',
      label: trans.__('Edit'),
      ask: {
        fields,
        initial: {
          display_name: user.display_name,
          email: user.email,
          groups: user.groups.join(', '),
          ...Object.fromEntries(user.roles.map(role => [`role-${role}`, true]))
        },
        submit: trans.__('Save')
      },
      run: (values, touched) =>
        send(
          request,
          'PATCH',
          at('users', user.name),
          touchedPart(userChangeOf(values, grants), touched)
        )
    },
    user.suspended_at === null
      ? {
          id: 'suspend',
          label: trans.__('Suspend'),
          ask: {
            text: trans.__('%1 is locked out until reinstated. Queued jobs still run.', user.name),
            submit: trans.__('Suspend'),
            danger: true
          },
          run: () => send(request, 'PATCH', at('users', user.name), { suspended: true })
        }
      : {
          id: 'admit',
          label: trans.__('Reinstate'),
          run: () => send(request, 'PATCH', at('users', user.name), { suspended: false })
        }
  ];
  const create: IAction = {
    id: 'add',
    label: trans.__('Add a person'),
    ask: {
      fields: [
        { name: 'name', label: trans.__('Name'), required: true, longest: 64 },
        {
          name: 'password',
          label: trans.__('Password'),
          kind: 'secret',
          longest: 256,
          hint: trans.__(
            'For a local account: 10 characters or more. Leave empty if they sign in through Jupyter.'
          )
        },
        ...fields
      ],
      initial: { 'role-user': true },
      submit: trans.__('Add')
    },
    run: values => {
      const password = passwordIn(values);
      return send(request, 'POST', 'users', {
        ...userChangeOf(values, grants),
        name: nameIn(values, 'name', true),
        ...(password === null ? {} : { password })
      });
    }
  };
  return (
    <Board
      title={trans.__('People')}
      intro={trans.__('Roles and groups set here are added to those from Jupyter or the Hub.')}
      trans={trans}
      listing={listing}
      rowKey={user => user.name}
      found={user =>
        [user.name, user.display_name, user.email, ...user.groups, ...user.roles].join(' ')
      }
      columns={[
        {
          head: trans.__('Name'),
          cell: user => (
            <Named
              name={user.name}
              detail={[user.display_name, user.email].filter(Boolean).join(', ')}
            />
          )
        },
        { head: trans.__('Roles'), cell: user => user.roles.join(', ') || '–' },
        { head: trans.__('Groups'), cell: user => listed(user.groups, trans) },
        {
          head: trans.__('Status'),
          cell: user =>
            user.suspended_at === null ? (
              <Word tone="online">{trans.__('Active')}</Word>
            ) : (
              <Word tone="disabled">{trans.__('Locked out')}</Word>
            )
        },
        { head: trans.__('Last seen'), cell: user => when(user.seen_at) }
      ]}
      actions={actions}
      create={create}
      empty={trans.__('No people yet.')}
    />
  );
}

export function Groups(props: ISectionProps): React.ReactElement {
  const { manager, trans } = props;
  const { request } = manager;
  const listing = useSectionRows(manager, 'groups', () =>
    whole(async () => (await request<GroupList>('groups')).groups)
  );
  const fields: readonly IField[] = [
    { name: 'description', label: trans.__('Description'), longest: 1000 },
    {
      name: 'members',
      label: trans.__('Members'),
      kind: 'area',
      hint: trans.__('Names, separated by commas or line breaks.')
    }
  ];
  const actions = (group: GroupModel): readonly IAction[] => [
    {
      id: 'edit',
      label: trans.__('Edit'),
      ask: {
        fields,
        initial: { description: group.description, members: group.members.join(', ') },
        submit: trans.__('Save')
      },
      run: (values, touched) => {
        const body = {
          description: text(values, 'description'),
          members: names(values, 'members')
        };
        return send(request, 'PATCH', at('groups', group.name), touchedPart(body, touched));
      }
    },
    {
      id: 'delete',
      label: trans.__('Delete'),
      ask: {
        text: trans.__('Jobs shared with %1 become private.', group.name),
        typed: group.name,
        submit: trans.__('Delete this group'),
        danger: true
      },
      run: () => send(request, 'DELETE', at('groups', group.name))
    }
  ];
  return (
    <Board
      title={trans.__('Groups')}
      intro={trans.__('People who share jobs, an account of QPU time, and booking rules.')}
      trans={trans}
      listing={listing}
      rowKey={group => group.name}
      found={group => [group.name, group.description, ...group.members].join(' ')}
      columns={[
        {
          head: trans.__('Name'),
          cell: group => <Named name={group.name} detail={group.description} />
        },
        { head: trans.__('Members'), cell: group => listed(group.members, trans) },
        { head: trans.__('Since'), cell: group => when(group.created_at) }
      ]}
      actions={actions}
      create={{
        id: 'add',
        label: trans.__('Add a group'),
        ask: {
          fields: [
            { name: 'name', label: trans.__('Name'), required: true, longest: 64 },
            ...fields
          ],
          submit: trans.__('Add')
        },
        run: values =>
          send(request, 'POST', 'groups', {
            name: nameIn(values, 'name'),
            description: text(values, 'description'),
            members: names(values, 'members')
          })
      }}
      empty={trans.__('No groups yet.')}
    />
  );
}
