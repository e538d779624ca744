import type * as React from 'react';

import { jobNote, prospectOf } from '../prospects';
import { jobState } from '../rows';
import type { JobModel } from '../wire';
import type { ITools } from './tools';

/** Why it does not run yet, or why it did not end well; how far it is. */
export function Wait(props: {
  job: JobModel;
  tools: Pick<ITools, 'manager' | 'trans'>;
}): React.ReactElement | null {
  const { job } = props;
  const { trans } = props.tools;
  const now = props.tools.manager.now();
  if (job.phase === 'running') {
    const percent = Math.round(100 * job.progress);
    return (
      <section className="jp-QPI-Note" data-tone="active" aria-label={trans.__('Progress')}>
        <progress max={100} value={percent} aria-label={trans.__('Progress')} />{' '}
        {jobNote(job, now, trans)}
      </section>
    );
  }
  if (job.error) {
    const [tone, label] =
      job.status === 'failed'
        ? ['bad', trans.__('Why it failed')]
        : ['quiet', trans.__('Why it was cancelled')];
    return (
      <section className="jp-QPI-Note" data-tone={tone} aria-label={label}>
        <strong>{jobNote(job, now, trans)}</strong>
      </section>
    );
  }
  if (job.status !== 'pending' || !job.reason) {
    return null;
  }
  const parts = prospectOf(job, now, trans);
  const [, tone] = jobState(job.phase, trans, job.reason.rule);
  return (
    <section className="jp-QPI-Note" data-tone={tone} aria-label={trans.__('Why it waits')}>
      <strong>{job.reason.message}</strong>
      {parts.length > 0 && <div className="jp-QPI-Detail">{parts.join(' · ')}</div>}
    </section>
  );
}
