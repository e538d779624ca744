import type { TranslationBundle } from '@jupyterlab/translation';
import type * as React from 'react';
import { hasEnded } from '../jobs';
import { span } from '../prospects';
import { jobState, qpusOf } from '../rows';
import type { FamilyJob, FamilyModel, JobModel } from '../wire';
import { Section, Table } from './facts';
import { TOLD } from './jobmodel';
import { CommandIDs, type ITools } from './tools';

/** What to call each job of a family, by id: its name, unless it has none or another has the same. */
export function calledIn(family: FamilyModel | null): ReadonlyMap<string, string> {
  const jobs = family?.jobs ?? [];
  const counts = new Map<string, number>();
  for (const { name } of jobs) {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return new Map(
    jobs.map(({ id, name }) => [id, name !== '' && counts.get(name) === 1 ? name : id])
  );
}

/** What another job of its family is to a job; empty where they are only related by others. */
export function relation(job: FamilyJob, other: FamilyJob, trans: TranslationBundle): string {
  if (job.id === other.id) {
    return trans.__('this job');
  }
  if (other.parent === job.id) {
    return trans.__('part of this job');
  }
  if (job.parent === other.id) {
    return trans.__('parent of this job');
  }
  if (job.after.includes(other.id)) {
    return trans.__('runs before this job');
  }
  return other.after.includes(job.id) ? trans.__('runs after this job') : '';
}

/** The other jobs of a family that are cancelled with these: what waits for them, their parts, and so on. */
export function cancelledWith({ jobs }: FamilyModel, ids: ReadonlySet<string>): FamilyJob[] {
  const going = jobs.filter(job => !hasEnded(job));
  const gone = new Set(going.flatMap(({ id }) => (ids.has(id) ? [id] : [])));
  for (let before = -1; before < gone.size; ) {
    before = gone.size;
    for (const { id, parent, after } of going) {
      if ((parent !== null && gone.has(parent)) || after.some(other => gone.has(other))) {
        gone.add(id);
      }
    }
  }
  return going.filter(({ id }) => gone.has(id) && !ids.has(id));
}

/** The jobs that hang together with a job: what waits for what, and what all of them cost. */
export function Family(props: {
  job: JobModel;
  family: FamilyModel;
  tools: ITools;
}): React.ReactElement {
  const { job: own, family, tools } = props;
  const { id } = own;
  const { trans } = tools;
  const called = calledIn(family);
  const [listed, hidden] = shown(id, family, trans);
  const link = (job: string) => (
    <Link key={job} id={job} name={called.get(job)} tools={tools} here={job === id} />
  );
  return (
    <Section title={trans.__('Family')} actions={<span>{sum(family, trans)}</span>}>
      <Table
        heads={[
          trans.__('Job'),
          trans.__('Status'),
          trans.__('QPU'),
          trans.__('Waits for'),
          trans.__('Relation')
        ]}
      >
        {listed.map(([job, word]) => {
          const rule = job.id === id ? own.reason?.rule : job.after.length > 0 ? '' : 'place';
          const [state, tone] = jobState(job.phase, trans, rule);
          return [
            link(job.id),
            <span key="state" className="jp-QPI-Member" data-tone={tone}>
              <span className="jp-QPI-Dot" aria-hidden="true" />
              {state}
            </span>,
            job.id === id ? qpusOf(own) : (job.qpu ?? ''),
            <span key="after" className="jp-QPI-Links">
              {job.after.slice(0, TOLD).map(link)}
            </span>,
            word
          ];
        })}
      </Table>
      {hidden > 0 && (
        <p className="jp-QPI-Detail">
          {trans._n('%1 more job is not shown.', '%1 more jobs are not shown.', hidden)}
        </p>
      )}
    </Section>
  );
}

/** The jobs to list, first those that have to do with the one that is looked at; each with what it is to that, and how many are left out. */
function shown(
  id: string,
  { jobs }: FamilyModel,
  trans: TranslationBundle
): [(readonly [FamilyJob, string])[], number] {
  const self = jobs.find(job => job.id === id);
  const all = jobs.map(job => [job, self ? relation(self, job, trans) : ''] as const);
  if (all.length > TOLD) {
    const rank = ([job, word]: (typeof all)[number]) => (job.id === id ? 0 : word ? 1 : 2);
    all.sort((a, b) => rank(a) - rank(b));
  }
  return [all.slice(0, TOLD), Math.max(0, all.length - TOLD)];
}

function sum({ jobs, cost_s }: FamilyModel, trans: TranslationBundle): string {
  const count = trans._n('%1 job', '%1 jobs', jobs.length);
  return cost_s === null
    ? count
    : trans.__('%1, %2 of QPU time in total', count, span(cost_s, trans));
}

/** A job that is opened by a click; the one that is open is only named. */
function Link(props: {
  id: string;
  name: string | undefined;
  here: boolean;
  tools: ITools;
}): React.ReactElement {
  const { id, name, here, tools } = props;
  if (here || name === undefined) {
    return <span title={id}>{name ?? id}</span>;
  }
  return (
    <button
      type="button"
      className="jp-QPI-Link"
      title={id}
      onClick={() => void tools.commands.execute(CommandIDs.openJob, { id })}
    >
      {name}
    </button>
  );
}
