import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type * as React from 'react';

import { Act } from '../act';
import { CopyId } from '../copyid';
import { jobRow } from '../rows';
import { at, send } from '../send';
import type { Tone } from '../states';
import type { BookingModel, JobModel, NoticeModel } from '../wire';
import { stamp } from '../words';
import { type Figures, headline, type IFigure } from './figures';
import { balanceText, type IQpuCard, logoAddress, nextBooking, qpuCard } from './model';
import { Section, type Sections } from './sections';
import type { ISideContext } from './view';

interface IPart {
  readonly context: ISideContext;
  readonly now: number;
  readonly sections: Sections;
}

/** The shape beside a state's word: nobody has to tell colours apart. */
const SHAPES: Record<Tone, string> = {
  good: '●',
  active: '▶',
  waiting: '◆',
  bad: '✕',
  quiet: '○'
};

export function Header({ context }: { context: ISideContext }): React.ReactElement {
  const { settings, trans } = context;
  const logo = logoAddress(settings.values.logoUrl);
  return (
    <div className="jp-QPI-Header">
      <div className="jp-QPI-Lab">
        {logo && <img src={logo} alt="" className="jp-QPI-Logo" />}
        <h1 title={settings.values.labName}>
          {settings.values.labName || trans.__('Quantum lab')}
        </h1>
      </div>
      <nav className="jp-QPI-Tabs" aria-label={trans.__('Tabs of the lab')}>
        <Open context={context} command="qpi:open-calendar" label={trans.__('Calendar')} />
        <Open context={context} command="qpi:open-queue" label={trans.__('Job queue')} />
        <Open context={context} command="qpi:open-admin" label={trans.__('Administration')} />
      </nav>
    </div>
  );
}

export function ConnectionNote(props: { context: ISideContext; now: number }): React.ReactElement {
  const { manager, trans } = props.context;
  const { connection, lastSeen, problem } = manager.state;
  return (
    <div role="status" className="jp-QPI-Connection" data-connection={connection}>
      {connection === 'connecting' && trans.__('Looking for the lab…')}
      {connection === 'lost' && (
        <>
          <strong>
            {lastSeen === null
              ? trans.__('The lab does not answer.')
              : trans.__('Connection lost, last seen %1.', stamp(lastSeen, props.now))}
          </strong>{' '}
          {lastSeen !== null && trans.__('What is shown may be old.')}
          {problem && <div className="jp-QPI-Detail">{problem}</div>}
          <Act label={trans.__('Try again')} act={() => manager.refresh()} />
        </>
      )}
      {connection === 'refused' && (
        <>
          <strong>{trans.__('You no longer have access to this lab.')}</strong>{' '}
          {problem && <div className="jp-QPI-Detail">{problem}</div>}
          <div className="jp-QPI-Detail">
            {trans.__(
              'Your sign-in or token has expired. Reload the page to sign in again. If that does not help, ask a manager of the lab for access.'
            )}
          </div>
          <Act label={trans.__('Try again')} act={() => manager.refresh()} />
        </>
      )}
    </div>
  );
}

export function NoticeSection({ context, now, sections }: IPart): React.ReactElement | null {
  const { manager, trans } = context;
  const { notices } = manager.state;
  if (notices.length === 0) {
    return null;
  }
  const dismiss = async (notice: NoticeModel) => {
    await send(manager.request, 'POST', at('notices', notice.id, 'dismiss'));
    await manager.refresh();
  };
  return (
    <Section name="notices" title={trans.__('Notices')} count={notices.length} sections={sections}>
      <ul className="jp-QPI-List">
        {notices.map(notice => (
          <li className="jp-QPI-Row jp-QPI-Notice" key={notice.id} data-key={notice.id}>
            <div className="jp-QPI-RowHead">
              <strong className="jp-QPI-Wrapped">{notice.title}</strong>
              <Act
                label={trans.__('Dismiss')}
                name={trans.__('Dismiss the notice %1', notice.title)}
                act={() => dismiss(notice)}
              />
            </div>
            {notice.body && <div className="jp-QPI-Body">{notice.body}</div>}
            <div className="jp-QPI-Detail">
              {trans.__('%1, %2', notice.created_by, stamp(Date.parse(notice.created_at), now))}
            </div>
          </li>
        ))}
      </ul>
    </Section>
  );
}

export function QpuSection(props: IPart & { figures: Figures }): React.ReactElement {
  const { context, figures, now, sections } = props;
  const { manager, trans } = context;
  const { bookings, qpus } = manager.state;
  return (
    <Section name="qpus" title={trans.__('QPUs')} sections={sections}>
      {qpus.length === 0 && manager.state.lastSeen !== null && (
        <p className="jp-QPI-Empty">{trans.__('No QPUs yet.')}</p>
      )}
      <ul className="jp-QPI-List jp-QPI-Cards">
        {qpus.map(qpu => (
          <QpuItem
            key={qpu.name}
            card={qpuCard(qpu, bookings, now, trans)}
            context={context}
            figures={headline(figures.of(qpu.name), trans)}
          />
        ))}
      </ul>
    </Section>
  );
}

function QpuItem(props: {
  card: IQpuCard;
  context: ISideContext;
  figures: readonly IFigure[];
}): React.ReactElement {
  const { card, context, figures } = props;
  return (
    <li className="jp-QPI-Row jp-QPI-Card" data-key={card.name} data-tone={card.tone}>
      <div className="jp-QPI-RowHead">
        <Title
          context={context}
          command="qpi:open-qpu"
          args={{ qpu: card.name }}
          text={card.name}
        />
        <State tone={card.tone} word={card.state} />
      </div>
      <div className="jp-QPI-Detail">{card.detail}</div>
      <div className="jp-QPI-Holder" data-mine={card.mine}>
        {[card.holder, card.nextFree].filter(Boolean).join(' · ')}
      </div>
      <dl className="jp-QPI-Figures">
        {figures.map(({ label, value }) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </li>
  );
}

export function JobSection({ context, now, sections }: IPart): React.ReactElement {
  const { manager, settings, trans } = context;
  const jobs = manager.state.jobs.slice(0, settings.values.jobsShown);
  return (
    <Section name="jobs" title={trans.__('My jobs')} sections={sections}>
      {jobs.length === 0 && manager.state.lastSeen !== null && (
        <p className="jp-QPI-Empty">
          {trans.__(
            'No jobs yet. Submit one from a notebook with %1, or a .qasm file from the file browser.',
            '%%qpi_submit'
          )}
        </p>
      )}
      <ul className="jp-QPI-List">
        {jobs.map(job => (
          <JobItem key={job.id} context={context} job={job} now={now} />
        ))}
      </ul>
    </Section>
  );
}

function JobItem(props: { context: ISideContext; job: JobModel; now: number }): React.ReactElement {
  const { context, job, now } = props;
  const { manager, trans } = context;
  const row = jobRow(job, now, trans);
  return (
    <li className="jp-QPI-Row" data-key={row.key} data-tone={row.tone}>
      <div className="jp-QPI-RowHead">
        <Title context={context} command="qpi:open-job" args={{ id: row.key }} text={row.title} />
        <CopyId id={row.key} trans={trans} bare />
        <State tone={row.tone} word={row.state} />
      </div>
      {row.detail && <div className="jp-QPI-Detail">{row.detail}</div>}
      {job.phase === 'running' && (
        <progress value={job.progress} max={1} aria-label={trans.__('Progress of %1', row.title)} />
      )}
      {row.cancellable && (
        <Act
          label={trans.__('Cancel')}
          name={trans.__('Cancel job %1', row.title)}
          act={() => manager.cancel(row.key)}
        />
      )}
    </li>
  );
}

export function BookingSection({ context, now, sections }: IPart): React.ReactElement {
  const { manager, trans } = context;
  const next = nextBooking(manager.state.myBookings, now, trans);
  return (
    <Section name="booking" title={trans.__('My next booking')} sections={sections}>
      {!next && manager.state.connection !== 'connecting' && (
        <p className="jp-QPI-Empty">{trans.__('No upcoming bookings.')}</p>
      )}
      {next && (
        <div
          className="jp-QPI-Row jp-QPI-Booking"
          data-key={next.booking.id}
          data-tone={next.active ? 'active' : 'waiting'}
        >
          <div className="jp-QPI-RowHead">
            <span className="jp-QPI-Title" title={next.title}>
              {next.title}
            </span>
            <span className="jp-QPI-State" role="timer">
              {next.countdown}
            </span>
          </div>
          <div className="jp-QPI-Detail">{next.when}</div>
          <Act
            label={next.active ? trans.__('Release the rest') : trans.__('Release')}
            act={() => release(context, next.booking, now)}
          />
        </div>
      )}
    </Section>
  );
}

export function TimeSection({ context, sections }: IPart): React.ReactElement {
  const { manager, trans } = context;
  const { account, connection } = manager.state;
  const none = connection === 'connecting' ? '' : trans.__('You have no QPU time account.');
  return (
    <Section name="time" title={trans.__('My QPU time')} sections={sections}>
      <div className="jp-QPI-Empty">
        <div>{account ? balanceText(account, trans) : none}</div>
        <Open context={context} command="qpi:open-account" label={trans.__('My account')} />
      </div>
    </Section>
  );
}

async function release(context: ISideContext, booking: BookingModel, now: number): Promise<void> {
  const { manager, trans } = context;
  const when = stamp(Date.parse(booking.start_at), now);
  const answer = await showDialog({
    title: trans.__('Release %1?', booking.qpu),
    body: trans.__('Others can then book the rest of your time from %1.', when),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Keep') }),
      Dialog.warnButton({ label: trans.__('Release') })
    ]
  });
  if (answer.button.accept) {
    await send(manager.request, 'POST', at('bookings', booking.id, 'release'));
    await manager.refresh();
  }
}

function State({ tone, word }: { tone: Tone; word: string }): React.ReactElement {
  return (
    <span className="jp-QPI-State" data-tone={tone}>
      <span aria-hidden="true">{SHAPES[tone]}</span> {word}
    </span>
  );
}

/** Text that opens a tab, where there is one. */
function Title(props: {
  context: ISideContext;
  command: string;
  args: ReadonlyPartialJSONObject;
  text: string;
}): React.ReactElement {
  const { args, command, context, text } = props;
  return context.commands.hasCommand(command) ? (
    <button
      type="button"
      className="jp-QPI-Title jp-QPI-Link"
      title={text}
      onClick={() => void context.commands.execute(command, args)}
    >
      {text}
    </button>
  ) : (
    <span className="jp-QPI-Title" title={text}>
      {text}
    </span>
  );
}

function Open(props: {
  context: ISideContext;
  command: string;
  label: string;
}): React.ReactElement | null {
  const { command, context, label } = props;
  const { commands } = context;
  return commands.hasCommand(command) && commands.isVisible(command) ? (
    <button
      type="button"
      className="jp-QPI-Action jp-mod-styled"
      onClick={() => void commands.execute(command)}
    >
      {label}
    </button>
  ) : null;
}
