import '../../style/common.css';
import '../../style/admin.css';
import '../../style/account.css';

import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';
import { Sections, SectionsWidget } from '../board/sections';
import { useLab } from '../hooks';
import type { LabFile } from '../request';
import type { ILabManager } from '../tokens';
import type { Me } from '../wire';
import { accountsOf, type SectionId, sectionsFor } from './model';
import { Profile } from './profile';
import { Time } from './time';
import { Tokens } from './tokens';
import { Usage } from './usage';

/** What the tab works with. */
export interface IAccountTools {
  readonly manager: ILabManager;
  readonly trans: TranslationBundle;
  readonly commands: CommandRegistry;
  readonly file: LabFile;
  /** Where the lab is reached from elsewhere: this Jupyter server. */
  readonly address: string;
}

/** What every section is given. */
export interface IAccountProps extends IAccountTools {
  readonly me: Me;
}

const VIEWS: Readonly<Record<SectionId, (props: IAccountProps) => React.ReactElement>> = {
  time: Time,
  usage: Usage,
  tokens: Tokens,
  profile: Profile
};

function titles(trans: TranslationBundle): Readonly<Record<SectionId, string>> {
  return {
    time: trans.__('QPU time'),
    usage: trans.__('Usage'),
    tokens: trans.__('API tokens'),
    profile: trans.__('Profile')
  };
}

/** What the lab keeps of whoever looks: their QPU time, where it went, their tokens and their name. */
export class AccountView extends SectionsWidget {
  constructor(private readonly _tools: IAccountTools) {
    super();
  }

  protected override render(): React.ReactElement {
    return <Account {...this._tools} />;
  }
}

function Account(props: IAccountTools): React.ReactElement {
  const { manager, trans } = props;
  const me = useLab(manager, state => state.me);
  const [chosen, choose] = React.useState<SectionId>('time');
  const sections = sectionsFor(me?.permissions ?? []);
  const current = sections.includes(chosen) ? chosen : sections[0];
  if (me === null || current === undefined) {
    return <Nobody {...props} />;
  }
  const Section = VIEWS[current];
  return (
    <Sections
      label={trans.__('My account')}
      sections={sections}
      titles={titles(trans)}
      current={current}
      onChoose={choose}
    >
      {/* What a section asks for goes by whose accounts there are */}
      <Section key={[current, ...accountsOf(me.user)].join(' ')} {...props} me={me} />
    </Sections>
  );
}

/** Why there is nothing to see. */
function Nobody({ manager, trans }: IAccountTools): React.ReactElement {
  const { connection, problem } = manager.state;
  return (
    <div className="jp-QPI-AdminEmpty" role="status">
      {connection === 'connecting' ? (
        trans.__('Looking for the lab…')
      ) : (
        <>
          <strong>{trans.__('You have no account.')}</strong>
          <p>{problem ?? trans.__('This server uses a program’s token, not a person’s.')}</p>
        </>
      )}
    </div>
  );
}
