import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { when } from '../board/cells';
import { Field, Problem } from '../board/form';
import { whole } from '../board/listing';
import { useModel } from '../hooks';
import { messageOf } from '../request';
import { send } from '../send';
import type { Policy, ReplayModel, ReplayState } from '../wire';
import { draftOf, type IDraft, MOST_POLICIES, replayOf, type Span } from './policies';
import { Results } from './replayresults';
import { type ISectionProps, useSectionRows } from './section';

/** Trying other policies on the lab's past. */
export function Replay(props: ISectionProps): React.ReactElement {
  const { manager, trans } = props;
  const listing = useSectionRows(manager, 'replay', () =>
    whole(async () => [await manager.request<ReplayState>('replay')])
  );
  const { rows, problem, loaded } = useModel(listing);
  const state = rows[0];
  const seen = React.useRef(false);
  seen.current ||= state?.replay?.state === 'running';
  const lost = seen.current && state?.replay === null;
  return (
    <>
      <div className="jp-QPI-AdminHead">
        <h2>{trans.__('Policy replay')}</h2>
      </div>
      <p className="jp-QPI-AdminText">
        {trans.__(
          'Replay past jobs and bookings under another policy, with the lab’s own planner in simulated time. Nothing in the lab changes.'
        )}
      </p>
      {problem !== null && <Problem>{problem}</Problem>}
      {!loaded && problem === null && (
        <p className="jp-QPI-AdminEmpty" role="status">
          {trans.__('Loading…')}
        </p>
      )}
      {state !== undefined && (
        <Asking
          section={props}
          inForce={state.in_force}
          running={state.replay?.state === 'running'}
          onChange={() => listing.load()}
        />
      )}
      {lost && (
        <Problem>
          {trans.__('The lab’s server was restarted, which ended the replay. Run it again.')}
        </Problem>
      )}
      {state?.replay === null && !lost && (
        <p className="jp-QPI-AdminEmpty">
          {trans.__('No replays since the lab’s server started.')}
        </p>
      )}
      {state?.replay && (
        <Outcome
          replay={state.replay}
          section={props}
          onCancel={async () => {
            await send(manager.request, 'DELETE', 'replay');
            await listing.load();
          }}
        />
      )}
    </>
  );
}

const SPANS = ['7', '30', '90', '365'] as const;

/** What is replayed, and under which policies. */
function Asking(props: {
  readonly section: ISectionProps;
  readonly inForce: Policy;
  readonly running: boolean;
  readonly onChange: () => Promise<void>;
}): React.ReactElement {
  const { inForce, running } = props;
  const { manager, trans } = props.section;
  const [span, setSpan] = React.useState('30');
  const [start, setStart] = React.useState('');
  const [end, setEnd] = React.useState('');
  const [drafts, setDrafts] = React.useState<readonly IDraft[]>(() => [draftOf(1, inForce)]);
  const [busy, setBusy] = React.useState(false);
  const [problem, setProblem] = React.useState<string | null>(null);
  const run = async () => {
    setBusy(true);
    setProblem(null);
    try {
      const asked = replayOf(spanOf(span, start, end), drafts, inForce, manager.now(), trans);
      await send(manager.request, 'POST', 'replay', asked);
      await props.onChange();
    } catch (error) {
      setProblem(messageOf(error));
    } finally {
      setBusy(false);
    }
  };
  const change = (draft: IDraft) =>
    setDrafts(drafts.map(one => (one.id === draft.id ? draft : one)));
  const next = Math.max(0, ...drafts.map(({ id }) => id)) + 1;
  const text = { kind: 'moment', required: true } as const;
  return (
    <form
      className="jp-QPI-AdminForm"
      aria-label={trans.__('Policy replay')}
      onSubmit={event => {
        event.preventDefault();
        if (!busy && !running) {
          void run();
        }
      }}
    >
      <div className="jp-QPI-AdminFields">
        <Field
          field={{
            name: 'span',
            label: trans.__('Jobs of'),
            kind: 'choice',
            choices: [
              ...SPANS.map(days => ({ value: days, label: trans.__('the last %1 days', days) })),
              { value: 'between', label: trans.__('a custom period') },
              { value: 'invented', label: trans.__('a synthetic busy month') }
            ]
          }}
          value={span}
          onChange={value => setSpan(String(value))}
        />
        {span === 'between' && (
          <>
            <Field
              field={{ ...text, name: 'start', label: trans.__('From') }}
              value={start}
              onChange={value => setStart(String(value))}
            />
            <Field
              field={{ ...text, name: 'end', label: trans.__('Until') }}
              value={end}
              onChange={value => setEnd(String(value))}
            />
          </>
        )}
      </div>
      <p className="jp-QPI-AdminText">
        {trans.__('Compared with the policy in force, which is always replayed as well:')}
      </p>
      {drafts.map((draft, i) => (
        <Draft
          key={draft.id}
          draft={draft}
          title={trans.__('Policy %1', i + 1)}
          trans={trans}
          onChange={change}
          onRemove={() => setDrafts(drafts.filter(one => one !== draft))}
        />
      ))}
      {problem !== null && <Problem>{problem}</Problem>}
      <div className="jp-QPI-AdminActions">
        <button
          type="submit"
          className="jp-mod-styled jp-mod-accept"
          disabled={busy || running}
          aria-busy={busy}
        >
          {trans.__('Run the replay')}
        </button>
        <button
          type="button"
          className="jp-mod-styled"
          disabled={drafts.length >= MOST_POLICIES}
          onClick={() => setDrafts([...drafts, draftOf(next, inForce)])}
        >
          {trans.__('Add a policy')}
        </button>
      </div>
    </form>
  );
}

function spanOf(chosen: string, start: string, end: string): Span {
  if (chosen === 'invented') {
    return { kind: 'invented' };
  }
  return chosen === 'between'
    ? { kind: 'between', start, end }
    : { kind: 'days', days: Number(chosen) };
}

function Draft(props: {
  readonly draft: IDraft;
  readonly title: string;
  readonly trans: TranslationBundle;
  readonly onChange: (draft: IDraft) => void;
  readonly onRemove: () => void;
}): React.ReactElement {
  const { draft, trans } = props;
  const lengths = [
    ['backfill_max_s', trans.__('Backfill: jobs up to')],
    ['idle_threshold_s', trans.__('Holder idle after')],
    ['fair_share_window_s', trans.__('Fair share looks back')]
  ] as const;
  return (
    <fieldset className="jp-QPI-AdminDraft">
      <legend>{props.title}</legend>
      <Field
        field={{ name: 'fair_share', label: trans.__('Fair share'), kind: 'switch' }}
        value={draft.fair_share}
        onChange={value => props.onChange({ ...draft, fair_share: value === true })}
      />
      {lengths.map(([name, label]) => (
        <Field
          key={name}
          field={{ name, label, required: true }}
          value={draft[name]}
          onChange={value => props.onChange({ ...draft, [name]: String(value) })}
        />
      ))}
      <button
        type="button"
        className="jp-mod-styled"
        aria-label={trans.__('Remove: %1', props.title)}
        onClick={props.onRemove}
      >
        {trans.__('Remove')}
      </button>
    </fieldset>
  );
}

/** How the replay is going, or what came of it. */
function Outcome(props: {
  readonly replay: ReplayModel;
  readonly section: ISectionProps;
  readonly onCancel: () => Promise<void>;
}): React.ReactElement {
  const { replay } = props;
  const { trans } = props.section;
  return (
    <section className="jp-QPI-AdminReplay" aria-label={trans.__('Outcome')}>
      <p className="jp-QPI-AdminText">{aboutOf(replay, trans)}</p>
      {replay.state === 'running' && (
        <Running replay={replay} trans={trans} onCancel={props.onCancel} />
      )}
      {replay.state === 'failed' && <Problem>{replay.problem}</Problem>}
      {replay.state === 'cancelled' && (
        <p className="jp-QPI-AdminEmpty">{trans.__('The replay was cancelled.')}</p>
      )}
      {replay.state === 'done' && replay.jobs === 0 && (
        <p className="jp-QPI-AdminEmpty">
          {trans.__('No jobs ran in this interval. Choose a longer one or a synthetic month.')}
        </p>
      )}
      {replay.results.length > 0 && replay.state !== 'running' && (
        <Results replay={replay} section={props.section} />
      )}
    </section>
  );
}

function aboutOf(replay: ReplayModel, trans: TranslationBundle): string {
  const what =
    replay.seed === null
      ? trans.__('Jobs from %1 to %2', when(replay.start_at), when(replay.end_at))
      : trans.__('A synthetic month');
  const counted = (one: string, many: string, count: number) =>
    trans._n(one, many, count, count.toLocaleString());
  const size =
    replay.jobs === null
      ? ''
      : `, ${counted('%2 job', '%2 jobs', replay.jobs)}, ${counted('%2 booking', '%2 bookings', replay.bookings ?? 0)}`;
  const who = trans.__('Replayed for %1, %2.', replay.started_by, when(replay.started_at));
  return `${what}${size}. ${who}`;
}

function Running(props: {
  readonly replay: ReplayModel;
  readonly trans: TranslationBundle;
  readonly onCancel: () => Promise<void>;
}): React.ReactElement {
  const { replay, trans } = props;
  const [problem, setProblem] = React.useState<string | null>(null);
  const [busy, setBusy] = React.useState(false);
  const cancel = async () => {
    setBusy(true);
    try {
      await props.onCancel();
    } catch (error) {
      setProblem(messageOf(error));
      setBusy(false);
    }
  };
  const now = Math.min(replay.results.length + 1, replay.policies.length);
  const text =
    replay.jobs === null
      ? trans.__('Reading the jobs…')
      : trans.__(
          '%1 %, policy %2 of %3: %4',
          Math.floor(100 * replay.progress),
          now,
          replay.policies.length,
          replay.policies[now - 1] ?? ''
        );
  return (
    <div className="jp-QPI-AdminProgress">
      <progress aria-label={trans.__('Progress of the replay')} max={1} value={replay.progress} />
      <span>{text}</span>
      <button type="button" className="jp-mod-styled" disabled={busy} onClick={() => void cancel()}>
        {trans.__('Cancel the replay')}
      </button>
      {problem !== null && <Problem>{problem}</Problem>}
    </div>
  );
}
