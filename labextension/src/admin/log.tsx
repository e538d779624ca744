import { Debouncer } from '@lumino/polling';
import * as React from 'react';
import { Board } from '../board/board';
import { Named, when } from '../board/cells';
import { pages, whole } from '../board/listing';
import { shown } from '../board/schema';
import type { AuditEntry, AuditPage, ConfigInForce, ConfigSetting } from '../wire';
import { type ISectionProps, useSectionRows } from './section';

const PAGE = 100;
/** Letters that come closer together than this are one search (ms). */
const TYPING = 300;

export function Audit(props: ISectionProps): React.ReactElement {
  const { manager, trans } = props;
  const sought = React.useRef('');
  const listing = useSectionRows<AuditEntry>(manager, 'audit', () => after => {
    const text = sought.current === '' ? '' : `&text=${encodeURIComponent(sought.current)}`;
    const path = `audit?limit=${PAGE}${text}`;
    return pages(manager.request, path, (page: AuditPage) => page.entries)(after);
  });
  const [search] = React.useState(() => new Debouncer(() => listing.begin(), TYPING));
  React.useEffect(() => () => search.dispose(), [search]);
  const seek = (text: string) => {
    sought.current = text.trim();
    search.invoke().catch(() => undefined); // rejects only when disposed of
  };
  return (
    <Board
      title={trans.__('Audit log')}
      intro={trans.__('What people did, newest first. It cannot be changed.')}
      trans={trans}
      listing={listing}
      rowKey={entry => `${entry.seq}`}
      onSeek={seek}
      columns={[
        { head: trans.__('When'), cell: entry => when(entry.at) },
        { head: trans.__('Person'), cell: entry => <Named name={entry.who} /> },
        { head: trans.__('Action'), cell: entry => entry.action },
        { head: trans.__('Target'), cell: entry => entry.subject },
        {
          head: trans.__('Details'),
          cell: entry => (
            <code>
              {Object.entries(entry.data)
                .map(([name, value]) => `${name}=${shown(value)}`)
                .join(', ')}
            </code>
          )
        }
      ]}
      empty={trans.__('No entries yet.')}
    />
  );
}

export function Config(props: ISectionProps): React.ReactElement {
  const { manager, trans } = props;
  const listing = useSectionRows(manager, 'config', () =>
    whole<ConfigSetting>(async () => (await manager.request<ConfigInForce>('config')).settings)
  );
  return (
    <Board
      title={trans.__('Configuration')}
      intro={trans.__(
        'The settings in force, and where each value comes from. Secrets are masked.'
      )}
      trans={trans}
      listing={listing}
      rowKey={setting => setting.name}
      found={setting => `${setting.name} ${setting.help} ${setting.source}`}
      columns={[
        {
          head: trans.__('Setting'),
          cell: setting => <Named name={setting.name} detail={setting.help} />
        },
        { head: trans.__('Value'), cell: setting => <code>{shown(setting.value)}</code> },
        { head: trans.__('From'), cell: setting => setting.source }
      ]}
      empty={trans.__('No settings available.')}
    />
  );
}
