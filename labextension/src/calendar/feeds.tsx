import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { FeedModel } from '../wire';
import { formatOf } from '../words';
import { Button, Modal } from './modal';
import type { CalendarModel } from './model';
import { refusalOf } from './refusal';

interface IProps {
  readonly model: CalendarModel;
  readonly qpus: readonly string[];
  readonly trans: TranslationBundle;
  readonly onClose: () => void;
}

/** Makes the secret address by which other calendars subscribe, and ends those that are no longer wanted. */
export function FeedsDialog(props: IProps): React.ReactElement {
  const { model, qpus, trans, onClose } = props;
  const [qpu, setQpu] = React.useState('');
  const [feeds, setFeeds] = React.useState<readonly FeedModel[]>([]);
  const [made, setMade] = React.useState<FeedModel | null>(null);
  const [problem, setProblem] = React.useState('');

  const attempt = async (action: () => Promise<void>) => {
    try {
      await action();
      setProblem('');
    } catch (error) {
      setProblem(refusalOf(error).message);
    }
  };
  const read = async () => setFeeds((await model.feeds()).feeds);
  const make = async () => {
    setMade(await model.addFeed(qpu || null));
    await read();
  };
  const end = async (id: string) => setFeeds((await model.endFeed(id)).feeds);
  React.useEffect(() => void attempt(read), []);

  return (
    <Modal label={trans.__('Calendar address (.ics)')} onClose={onClose}>
      <p>
        {trans.__(
          'Subscribe to this address in Google Calendar, Outlook or Thunderbird. Anyone who has it can read the calendar: treat it like a password.'
        )}
      </p>
      <div className="jp-QPI-FieldRow">
        <label className="jp-QPI-Field">
          <span>{trans.__('Calendar of')}</span>
          <select
            className="jp-mod-styled"
            value={qpu}
            onChange={event => setQpu(event.target.value)}
          >
            <option value="">{trans.__('my bookings')}</option>
            {qpus.map(name => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <Button look="accept" onClick={() => void attempt(make)}>
          {trans.__('New address')}
        </Button>
      </div>
      {made?.url && <Address url={made.url} trans={trans} />}
      {problem && <p role="alert">{problem}</p>}
      <ul className="jp-QPI-Feeds">
        {feeds.map(feed => (
          <li key={feed.id}>
            <span className="jp-QPI-FeedName">
              {feed.qpu ?? trans.__('my bookings')}
              {', '}
              {trans.__(
                'since %1',
                formatOf({ dateStyle: 'medium' }).format(new Date(feed.created_at))
              )}
            </span>
            <Button look="warn" onClick={() => void attempt(() => end(feed.id))}>
              {trans.__('Revoke')}
            </Button>
          </li>
        ))}
      </ul>
      <div className="jp-QPI-ModalButtons">
        <Button onClick={onClose}>{trans.__('Close')}</Button>
      </div>
    </Modal>
  );
}

/** An address that is shown once, ready to copy. */
function Address(props: { url: string; trans: TranslationBundle }): React.ReactElement {
  const { url, trans } = props;
  const [copied, setCopied] = React.useState(false);
  const field = React.useRef<HTMLInputElement>(null);
  const copy = async () => {
    field.current?.select();
    // A page without TLS has no clipboard; then the address is selected, ready for Ctrl+C.
    await navigator.clipboard?.writeText(url);
    setCopied(navigator.clipboard !== undefined);
  };
  return (
    <div className="jp-QPI-FieldRow" role="status">
      <label className="jp-QPI-Field">
        <span>{trans.__('Address, shown only once')}</span>
        <input ref={field} className="jp-mod-styled" readOnly value={url} />
      </label>
      <Button look="accept" onClick={() => void copy()}>
        {copied ? trans.__('Copied') : trans.__('Copy')}
      </Button>
    </div>
  );
}
