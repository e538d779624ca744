import '../../style/common.css';
import '../../style/admin.css';

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { Sections, SectionsWidget } from '../board/sections';
import { useLab } from '../hooks';
import type { ILabManager } from '../tokens';
import { Qpus } from './bench';
import { Drivers } from './drivers';
import { JoinLinks } from './joins';
import { Audit, Config } from './log';
import { Groups, People } from './people';
import { Replay } from './replay';
import { Notices, Rules } from './rules';
import type { ISectionProps } from './section';
import { type SectionId, sectionsFor } from './sections';
import { Simulators } from './simulators';
import { Accounts, Requests } from './time';

const VIEWS: Readonly<Record<SectionId, (props: ISectionProps) => React.ReactElement>> = {
  qpus: Qpus,
  drivers: Drivers,
  simulators: Simulators,
  people: People,
  groups: Groups,
  joins: JoinLinks,
  accounts: Accounts,
  requests: Requests,
  rules: Rules,
  notices: Notices,
  audit: Audit,
  replay: Replay,
  config: Config
};

const NONE: readonly string[] = [];

function titles(trans: TranslationBundle): Readonly<Record<SectionId, string>> {
  return {
    qpus: trans.__('QPUs'),
    drivers: trans.__('Drivers'),
    simulators: trans.__('Simulators'),
    people: trans.__('People'),
    groups: trans.__('Groups'),
    joins: trans.__('Join links'),
    accounts: trans.__('QPU time'),
    requests: trans.__('Time requests'),
    rules: trans.__('Booking rules'),
    notices: trans.__('Notices'),
    audit: trans.__('Audit log'),
    replay: trans.__('Policy replay'),
    config: trans.__('Configuration')
  };
}

/** The administration of the lab: what whoever looks may manage, one section at a time. */
export class AdminView extends SectionsWidget {
  constructor(
    private readonly _manager: ILabManager,
    private readonly _trans: TranslationBundle
  ) {
    super();
  }

  protected override render(): React.ReactElement {
    return <Administration manager={this._manager} trans={this._trans} />;
  }
}

function Administration(props: {
  readonly manager: ILabManager;
  readonly trans: TranslationBundle;
}): React.ReactElement {
  const { manager, trans } = props;
  const permissions = useLab(manager, state => state.me?.permissions ?? NONE);
  const sections = sectionsFor(permissions);
  const [chosen, choose] = React.useState<SectionId>('qpus');
  const current = sections.includes(chosen) ? chosen : sections[0];
  if (current === undefined) {
    return <p className="jp-QPI-Empty">{trans.__('You may not manage this lab.')}</p>;
  }
  const Section = VIEWS[current];
  return (
    <Sections
      label={trans.__('Administration')}
      sections={sections}
      titles={titles(trans)}
      current={current}
      onChoose={choose}
    >
      <Section key={current} manager={manager} trans={trans} permissions={permissions} />
    </Sections>
  );
}
