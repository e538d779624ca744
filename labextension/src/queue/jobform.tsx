import * as React from 'react';

import type { JobChange, JobModel } from '../wire';
import type { JobDetail } from './jobmodel';
import { labelWords, TEXT_LABELS, type TextLabels, textLabels } from './labels';
import { told } from './told';
import type { ITools } from './tools';

interface IDraft extends TextLabels {
  readonly name: string;
  readonly tags: string;
  readonly shared: string;
}

/** Name, tags, other labels and sharing, behind a button. */
export function JobForm(props: {
  job: JobModel;
  model: JobDetail;
  tools: ITools;
}): React.ReactElement {
  const { job, model, tools } = props;
  const { trans } = tools;
  const words = labelWords(trans);
  const others = TEXT_LABELS.map(name => words[name].label).join(', ');
  const [draft, setDraft] = React.useState<IDraft | null>(null);
  if (draft === null) {
    return (
      <button
        type="button"
        className="jp-QPI-Action jp-mod-styled"
        onClick={() => setDraft(draftOf(job))}
      >
        {trans.__('Edit name, tags, %1, sharing', others.toLowerCase())}
      </button>
    );
  }
  const onSubmit = async (event: React.FormEvent) => {
    event.preventDefault();
    const saved = await told(model.change(changeOf(draft, job)).then(() => true));
    if (saved) {
      setDraft(null);
    }
  };
  const groups = [
    ...new Set([...(tools.manager.state.me?.user.groups ?? []), job.shared_with ?? ''])
  ];
  const field = (name: keyof IDraft, label: string, hint = '') => (
    <label key={name}>
      {label}
      <input
        className="jp-mod-styled"
        value={draft[name]}
        placeholder={hint}
        onChange={event => setDraft({ ...draft, [name]: event.target.value })}
      />
    </label>
  );
  return (
    <form
      className="jp-QPI-JobForm"
      aria-label={trans.__('Edit the job')}
      onSubmit={event => void onSubmit(event)}
    >
      {field('name', trans.__('Name'))}
      {field('tags', trans.__('Tags'), trans.__('with commas between them'))}
      {TEXT_LABELS.map(name => field(name, words[name].label))}
      <label>
        {trans.__('Shared with')}
        <select
          className="jp-mod-styled"
          value={draft.shared}
          onChange={event => setDraft({ ...draft, shared: event.target.value })}
        >
          <option value="">{trans.__('no group')}</option>
          {groups.filter(Boolean).map(group => (
            <option key={group} value={group}>
              {group}
            </option>
          ))}
        </select>
      </label>
      <div className="jp-QPI-Buttons">
        <button type="submit" className="jp-QPI-Action jp-mod-styled jp-mod-accept">
          {trans.__('Save')}
        </button>
        <button
          type="button"
          className="jp-QPI-Action jp-mod-styled"
          onClick={() => setDraft(null)}
        >
          {trans.__('Discard changes')}
        </button>
      </div>
    </form>
  );
}

function draftOf(job: JobModel): IDraft {
  const labels = textLabels(name => job[name]);
  return { name: job.name, tags: job.tags.join(', '), shared: job.shared_with ?? '', ...labels };
}

/** Only what is new: somebody else may have changed the rest meanwhile. */
function changeOf(draft: IDraft, job: JobModel): JobChange {
  const before = draftOf(job);
  const tags = draft.tags
    .split(',')
    .map(tag => tag.trim())
    .filter(Boolean);
  const labels = TEXT_LABELS.filter(name => draft[name] !== before[name]);
  return {
    ...Object.fromEntries(labels.map(name => [name, draft[name]])),
    ...(draft.name !== before.name && { name: draft.name }),
    ...(draft.tags !== before.tags && { tags }),
    ...(draft.shared !== before.shared && { shared_with: draft.shared || null })
  };
}
