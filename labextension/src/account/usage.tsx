import * as React from 'react';
import { Board } from '../board/board';
import { when } from '../board/cells';
import { everything, pages, whole } from '../board/listing';
import { useRows } from '../board/rows';
import { shortLength } from '../board/values';
import { lineWords, signedLength } from '../ledger';
import { save } from '../queue/told';
import { CommandIDs } from '../queue/tools';
import { at } from '../send';
import type { EntryModel, EntryPage, Statement } from '../wire';
import { accountsOf, entriesCsv, groupOf, isCharge, jobOf, newestFirst } from './model';
import type { IAccountProps } from './view';

const PAGE = 100;
/** The longest page that the lab gives. */
const WHOLE_PAGE = 500;

/** Where the time of an account went: month by month, and line by line. */
export function Usage(props: IAccountProps): React.ReactElement {
  const { me, trans } = props;
  const accounts = accountsOf(me.user);
  const [chosen, choose] = React.useState(me.user.name);
  const account = accounts.includes(chosen) ? chosen : me.user.name;
  return (
    <>
      {accounts.length > 1 && (
        <label className="jp-QPI-AccountChoice">
          {trans.__('Account')}{' '}
          <select
            className="jp-mod-styled"
            value={account}
            onChange={event => choose(event.target.value)}
          >
            {accounts.map(name => (
              <option key={name} value={name}>
                {groupOf(name) === null
                  ? trans.__('%1 (yours)', name)
                  : trans.__('%1 (your group)', groupOf(name))}
              </option>
            ))}
          </select>
        </label>
      )}
      <Months key={`months ${account}`} {...props} account={account} />
      <Lines key={`lines ${account}`} {...props} account={account} />
    </>
  );
}

interface IOfAccount extends IAccountProps {
  readonly account: string;
}

function Months({ account, file, manager, trans }: IOfAccount): React.ReactElement {
  const path = `statements?account=${encodeURIComponent(account)}`;
  const listing = useRows(manager, isCharge, () =>
    whole(async () => newestFirst((await manager.request<Statement>(path)).lines))
  );
  return (
    <Board
      title={trans.__('Statement')}
      intro={trans.__('QPU time used and granted, by month (UTC) and QPU.')}
      trans={trans}
      listing={listing}
      rowKey={line => [line.month, line.person, line.qpu].join(' ')}
      found={line => [line.month, line.qpu, line.person].join(' ')}
      columns={[
        { head: trans.__('Month'), cell: line => line.month },
        { head: trans.__('QPU'), cell: line => line.qpu || '–' },
        { head: trans.__('Person'), cell: line => line.person || '–' },
        { head: trans.__('Jobs'), cell: line => line.jobs },
        { head: trans.__('Used'), cell: line => shortLength(line.used_s, trans) },
        { head: trans.__('Granted'), cell: line => shortLength(line.granted_s, trans) },
        { head: trans.__('Refunded'), cell: line => shortLength(line.refunded_s, trans) }
      ]}
      create={{
        id: 'csv',
        label: trans.__('Statement as CSV'),
        run: async () => save(await file(`${path}&format=csv`), 'qpu-time.csv')
      }}
      empty={trans.__('Nothing used or granted yet.')}
    />
  );
}

function Lines(props: IOfAccount): React.ReactElement {
  const { account, manager, trans } = props;
  const lines = (limit: number) => {
    const path = `${at('accounts', account, 'entries')}?limit=${limit}`;
    return pages(manager.request, path, (page: EntryPage) => page.entries);
  };
  const listing = useRows(manager, isCharge, () => lines(PAGE));
  const words = lineWords(trans);
  return (
    <Board
      title={trans.__('Ledger')}
      intro={trans.__(
        'Every entry of the account, newest first. What a job reserves is returned when it ends, less what it used.'
      )}
      trans={trans}
      listing={listing}
      rowKey={entry => String(entry.seq)}
      columns={[
        { head: trans.__('When'), cell: entry => when(entry.at) },
        { head: trans.__('Entry'), cell: entry => words[entry.kind] },
        { head: trans.__('Amount'), cell: entry => signedLength(entry.amount_s, trans) },
        { head: trans.__('For'), cell: entry => <Cause {...props} entry={entry} /> },
        { head: trans.__('QPU'), cell: entry => entry.qpu ?? '–' },
        { head: trans.__('Person'), cell: entry => entry.person || '–' }
      ]}
      create={{
        id: 'csv',
        label: trans.__('Ledger as CSV'),
        run: async () => {
          const text = entriesCsv(await everything(lines(WHOLE_PAGE)));
          save(new Blob([text], { type: 'text/csv' }), 'qpu-ledger.csv');
        }
      }}
      empty={trans.__('No entries yet. The first grant or job creates one.')}
    />
  );
}

/** The job that a line is of, which opens; else what the line says of itself. */
function Cause(props: IOfAccount & { readonly entry: EntryModel }): React.ReactElement {
  const { commands, entry, manager, trans } = props;
  const id = jobOf(entry);
  if (id === null) {
    const what = entry.job_id === null ? '' : trans.__('session %1', entry.job_id);
    return <>{[what, entry.reason].filter(Boolean).join(': ') || '–'}</>;
  }
  return (
    <>
      <button
        type="button"
        className="jp-QPI-AccountJob"
        onClick={() => void commands.execute(CommandIDs.openJob, { id })}
      >
        {manager.state.jobs.find(job => job.id === id)?.name || id}
      </button>
      {entry.reason !== '' && <div className="jp-QPI-Detail">{entry.reason}</div>}
    </>
  );
}
