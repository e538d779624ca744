import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { IAction } from '../board/actions';
import { Board } from '../board/board';
import { Copied, Named, when } from '../board/cells';
import { whole } from '../board/listing';
import { ShownOnce } from '../board/once';
import { useRows } from '../board/rows';
import { at, send } from '../send';
import type { TokenCreated, TokenList, TokenModel } from '../wire';
import { isToken, LIVES, type Reach, reaches, shellLines, tokenOf } from './model';
import type { IAccountProps } from './view';

const NAME_LENGTH = 100;
const USUAL_LIFE = '90';

/** My API tokens: made, shown once, revoked. */
export function Tokens({ address, manager, me, trans }: IAccountProps): React.ReactElement {
  const { request } = manager;
  const listing = useRows(manager, isToken, () =>
    whole(async () => (await request<TokenList>('tokens')).tokens)
  );
  const [made, setMade] = React.useState<TokenCreated | null>(null);
  const words = sentences(trans);
  const create: IAction = {
    id: 'make',
    label: trans.__('New token…'),
    ask: {
      fields: [
        {
          name: 'name',
          label: trans.__('Name'),
          required: true,
          longest: NAME_LENGTH,
          hint: trans.__('What the token is for.')
        },
        {
          name: 'days',
          label: trans.__('Valid for'),
          kind: 'choice',
          choices: [
            ...LIVES.map(days => ({
              value: String(days),
              label: trans._n('%1 day', '%1 days', days)
            })),
            { value: '', label: trans.__('until I revoke it') }
          ],
          hint: trans.__('At most as long as the token that this server itself uses.')
        },
        ...reaches(me.permissions).map(reach => ({
          name: reach,
          kind: 'switch' as const,
          ...words[reach]
        }))
      ],
      initial: { days: USUAL_LIFE },
      submit: trans.__('Create token')
    },
    run: async values =>
      setMade(await send(request, 'POST', 'tokens', tokenOf(values, manager.now(), trans)))
  };
  const revoke = (token: TokenModel): IAction => ({
    id: 'revoke',
    label: trans.__('Revoke'),
    ask: {
      text: token.session
        ? trans.__(
            'This is a sign-in, possibly this page’s own. Revoking it signs out whoever uses it.'
          )
        : trans.__('Programs that use it are refused from now on. This cannot be undone.'),
      submit: trans.__('Revoke this token'),
      danger: true
    },
    run: async () => {
      await send(request, 'DELETE', at('tokens', token.id));
      setMade(shown => (shown?.id === token.id ? null : shown));
    }
  });
  return (
    <Board
      title={trans.__('API tokens')}
      intro={trans.__(
        'Tokens let scripts and other computers use the lab as you. Notebooks in this JupyterLab need none.'
      )}
      trans={trans}
      listing={listing}
      rowKey={token => token.id}
      rowName={token => token.name}
      found={token => token.name}
      columns={[
        {
          head: trans.__('Name'),
          cell: token => (
            <Named
              name={token.session ? trans.__('Sign-in') : token.name || '–'}
              detail={trans.__('created %1', when(token.created_at))}
            />
          )
        },
        { head: trans.__('Scopes'), cell: token => reachOf(token, trans) },
        {
          head: trans.__('Ends'),
          cell: token =>
            token.expires_at === null ? trans.__('when revoked') : ends(token, manager.now(), trans)
        },
        {
          head: trans.__('Last used'),
          cell: token =>
            token.last_used_at === null ? trans.__('never') : when(token.last_used_at)
        }
      ]}
      actions={token => [revoke(token)]}
      create={create}
      empty={trans.__('No API tokens.')}
    >
      {made !== null && (
        <Made
          key={made.id}
          made={made}
          address={address}
          trans={trans}
          onClose={() => setMade(null)}
        />
      )}
    </Board>
  );
}

/** What each reach lets a token do. */
function sentences(
  trans: TranslationBundle
): Readonly<Record<Reach, { readonly label: string; readonly hint: string }>> {
  return {
    read: {
      label: trans.__('Read'),
      hint: trans.__('View QPUs, bookings, QPU time, and your jobs and results.')
    },
    submit: {
      label: trans.__('Submit'),
      hint: trans.__('Also run and cancel jobs, book, and request QPU time.')
    },
    manage: {
      label: trans.__('Manage'),
      hint: trans.__('All your permissions for people, QPU time, rules and notices, and tokens.')
    },
    all: {
      label: trans.__('Everything'),
      hint: trans.__('All your permissions, including your profile and tokens.')
    }
  };
}

function reachOf(token: TokenModel, trans: TranslationBundle): string {
  return token.scopes === null ? trans.__('everything') : token.scopes.join(', ');
}

function ends(token: TokenModel, now: number, trans: TranslationBundle): string {
  const moment = when(token.expires_at);
  return Date.parse(token.expires_at ?? '') > now ? moment : trans.__('ended %1', moment);
}

/** A new token, which the lab shows only once, and how to use it. */
function Made(props: {
  readonly made: TokenCreated;
  readonly address: string;
  readonly trans: TranslationBundle;
  readonly onClose: () => void;
}): React.ReactElement {
  const { address, made, trans } = props;
  return (
    <ShownOnce
      label={trans.__('The token %1', made.name)}
      title={trans.__('Token %1 created', made.name)}
      text={
        <>
          {trans.__(
            'It is shown only once. Anyone who has it can act as you: treat it like a password.'
          )}{' '}
          {made.expires_at !== null && trans.__('It expires %1.', when(made.expires_at))}
        </>
      }
      trans={trans}
      onClose={props.onClose}
    >
      <Copied trans={trans} label={trans.__('Token')} value={made.token} />
      <Copied
        trans={trans}
        label={trans.__('In a shell, before you start Python')}
        value={shellLines(address, made.token)}
      />
      <p className="jp-QPI-AdminText">
        {trans.__('Then %1 finds the lab by itself.', 'qpi_jupyter.connect()')}
      </p>
    </ShownOnce>
  );
}
