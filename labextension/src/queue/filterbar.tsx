import { Debouncer } from '@lumino/polling';
import * as React from 'react';

import { useLab } from '../hooks';
import { jobState } from '../rows';
import { EVERYTHING_OF_MINE, type IFilters, isNarrow, STATUSES } from './filters';
import { labelWords, TEXT_LABELS } from './labels';
import type { QueueModel } from './model';
import type { ITools } from './tools';

/** A search waits until the typing pauses so long (ms). */
const TYPED = 250;

interface IProps {
  readonly model: QueueModel;
  readonly tools: ITools;
}

/** Which jobs to show. */
export function FilterBar(props: IProps): React.ReactElement {
  const { model, tools } = props;
  const { trans } = tools;
  const { filters } = model;
  const words = labelWords(trans);
  const me = useLab(tools.manager, state => state.me);
  const filter = (changes: Partial<IFilters>) => void model.filter(changes);
  const everybody = me?.permissions.includes('jobs:read:any') ?? false;
  const groups = me?.user.groups ?? [];
  return (
    <section className="jp-QPI-Filters" aria-label={trans.__('Find jobs')}>
      <Typed
        label={trans.__('Search by name, id, tag, person or QPU')}
        hint={trans.__('Search')}
        value={filters.text}
        onTyped={text => filter({ text })}
        wide
      />
      <Choice
        label={trans.__('Whose')}
        value={filters.mine ? 'mine' : 'all'}
        options={[
          ['mine', trans.__('Mine')],
          ['all', everybody ? trans.__("Everybody's") : trans.__('Mine and shared')]
        ]}
        onChoice={value => filter({ mine: value === 'mine' })}
      />
      <Choice
        label={trans.__('Status')}
        value={filters.status ?? ''}
        options={[
          ['', trans.__('Any status')],
          ...STATUSES.map(s => [s, jobState(s === 'pending' ? 'queued' : s, trans)[0]] as const)
        ]}
        onChoice={value => filter({ status: STATUSES.find(status => status === value) ?? null })}
      />
      <Choice
        label={trans.__('QPU')}
        value={filters.qpu ?? ''}
        options={[
          ['', trans.__('Any QPU')],
          ...tools.manager.state.qpus.map(qpu => [qpu.name, qpu.name] as const)
        ]}
        onChoice={value => filter({ qpu: value || null })}
      />
      {groups.length > 0 && (
        <Choice
          label={trans.__('Shared with')}
          value={filters.group ?? ''}
          options={[['', trans.__('Any group')], ...groups.map(group => [group, group] as const)]}
          onChoice={value => filter({ group: value || null, ...(value && { mine: false }) })}
        />
      )}
      {TEXT_LABELS.map(name => (
        <Typed
          key={name}
          label={words[name].label}
          value={filters[name]}
          onTyped={text => filter({ [name]: text })}
        />
      ))}
      <TagFilter model={model} tools={tools} />
    </section>
  );
}

/** The tags that all jobs shown have: chips that go away, and a field for one more. */
function TagFilter(props: IProps): React.ReactElement {
  const { filters } = props.model;
  const { trans } = props.tools;
  const [text, setText] = React.useState('');
  const onSubmit = (event: React.FormEvent) => {
    event.preventDefault();
    const tag = text.trim();
    setText('');
    if (tag && !filters.tags.includes(tag)) {
      void props.model.filter({ tags: [...filters.tags, tag] });
    }
  };
  const without = (tag: string) => filters.tags.filter(other => other !== tag);
  return (
    <>
      <form onSubmit={onSubmit}>
        <input
          className="jp-mod-styled"
          aria-label={trans.__('Only jobs with this tag')}
          placeholder={trans.__('Filter by tag')}
          value={text}
          maxLength={64}
          onChange={event => setText(event.target.value)}
        />
      </form>
      {filters.tags.map(tag => (
        <button
          type="button"
          key={tag}
          className="jp-QPI-Chip"
          aria-label={trans.__('Remove the filter %1', tag)}
          onClick={() => void props.model.filter({ tags: without(tag) })}
        >
          {tag} ×
        </button>
      ))}
      {isNarrow(filters) && (
        <button
          type="button"
          className="jp-QPI-Action jp-mod-styled"
          onClick={() => {
            const { mine } = filters;
            void props.model.filter({ ...EVERYTHING_OF_MINE, mine });
          }}
        >
          {trans.__('Clear filters')}
        </button>
      )}
    </>
  );
}

function Choice(props: {
  label: string;
  value: string;
  options: readonly (readonly [string, string])[];
  onChoice: (value: string) => void;
}): React.ReactElement {
  return (
    <select
      className="jp-mod-styled"
      aria-label={props.label}
      title={props.label}
      value={props.value}
      onChange={event => props.onChoice(event.target.value)}
    >
      {props.options.map(([value, text]) => (
        <option key={value} value={value}>
          {text}
        </option>
      ))}
    </select>
  );
}

/** A field whose text counts once the typing pauses. */
function Typed(props: {
  label: string;
  /** What stands in the empty field, where the label is too long for it. */
  hint?: string;
  value: string;
  onTyped: (text: string) => void;
  wide?: boolean;
}): React.ReactElement {
  const [text, setText] = React.useState(props.value);
  const latest = React.useRef(props.onTyped);
  latest.current = props.onTyped;
  const pause = React.useMemo(() => {
    return new Debouncer<void, unknown, [string]>((typed: string) => latest.current(typed), TYPED);
  }, []);
  React.useEffect(() => setText(props.value), [props.value]);
  React.useEffect(() => () => pause.dispose(), [pause]);
  return (
    <input
      type="search"
      className="jp-mod-styled"
      data-wide={props.wide}
      aria-label={props.label}
      placeholder={props.hint ?? props.label}
      title={props.label}
      value={text}
      maxLength={200}
      onChange={event => {
        setText(event.target.value);
        pause.invoke(event.target.value).catch(() => undefined); // rejects only when disposed of
      }}
    />
  );
}
