import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { hasEnded } from '../jobs';
import { messageOf } from '../request';
import { isCancellable } from '../rows';
import { at, send } from '../send';
import type { FamilyModel, JobModel } from '../wire';
import { GRACE } from './bin';
import { cancelledWith } from './family';
import { told } from './told';
import type { ITools } from './tools';

/** So many jobs are named in a dialog. */
const NAMED = 5;
/** So much of a name is said in a sentence. */
const SAID = 48;

/** Cancel the chosen jobs that still can be, or else delete those that have ended. */
export async function endOrDelete(tools: ITools, jobs: readonly JobModel[]): Promise<void> {
  const going = jobs.filter(isCancellable);
  await (going.length > 0 ? cancelJobs(tools, going) : deleteJobs(tools, jobs.filter(hasEnded)));
}

/** Cancel jobs, if the person means it. */
export async function cancelJobs(tools: ITools, jobs: readonly JobModel[]): Promise<void> {
  const { manager, trans } = tools;
  const more = await manyCancelledWith(tools, jobs);
  const others = trans._n(
    'One more job of the family is cancelled, too.',
    '%1 more jobs of the family are cancelled, too.',
    more
  );
  const stops = trans._n(
    '%2 stops. A result that is already measured is kept.',
    '%2 stop. Results that are already measured are kept.',
    jobs.length,
    namesOf(jobs, trans)
  );
  const answer = await showDialog({
    title: trans._n('Cancel the job?', 'Cancel %1 jobs?', jobs.length),
    body: more > 0 ? `${stops} ${others}` : stops,
    buttons: [
      Dialog.cancelButton({ label: trans._n('Let it run', 'Let them run', jobs.length) }),
      Dialog.warnButton({ label: trans._n('Cancel job', 'Cancel %1 jobs', jobs.length) })
    ]
  });
  if (answer.button.accept) {
    await allTold(
      tools,
      jobs.map(job => send(manager.request, 'POST', at('jobs', job.id, 'cancel')))
    );
    await manager.refresh();
  }
}

/** How many other jobs are cancelled with these; a family that cannot be asked for counts none. */
async function manyCancelledWith({ manager }: ITools, jobs: readonly JobModel[]): Promise<number> {
  const ids = new Set(jobs.map(job => job.id));
  const families = new Map(jobs.flatMap(job => (job.family ? [[job.family, job.id]] : [])));
  const told = await Promise.allSettled(
    [...families.values()].map(id => manager.request<FamilyModel>(at('jobs', id, 'family')))
  );
  return told.reduce(
    (sum, one) => sum + (one.status === 'fulfilled' ? cancelledWith(one.value, ids).length : 0),
    0
  );
}

/** Delete jobs; for a few seconds that can be undone. */
export async function deleteJobs(tools: ITools, jobs: readonly JobModel[]): Promise<void> {
  const { bin, trans } = tools;
  if (jobs.length === 0) {
    return;
  }
  const message = trans._n(
    '%2 is deleted, with its program and its data.',
    '%1 jobs are deleted, with their programs and their data: %2.',
    jobs.length,
    namesOf(jobs, trans)
  );
  const undo = {
    label: trans.__('Undo'),
    callback: () => jobs.forEach(job => void bin.undo(job.id))
  };
  const note = Notification.info(message, { autoClose: GRACE, actions: [undo] });
  await allTold(
    tools,
    jobs.map(job => bin.put(job.id))
  );
  Notification.dismiss(note);
}

/** Wait for all; what went wrong is told once. */
async function allTold(tools: ITools, tasks: readonly Promise<unknown>[]): Promise<void> {
  const ends = await Promise.allSettled(tasks);
  const reasons = ends.flatMap(end => (end.status === 'rejected' ? [messageOf(end.reason)] : []));
  const [first] = reasons;
  if (first !== undefined) {
    const { trans } = tools;
    const many = trans.__(
      '%1 of %2 jobs were not changed. %3',
      reasons.length,
      tasks.length,
      first
    );
    Notification.error(tasks.length === 1 ? first : many);
  }
}

/** The jobs' names, as many as fit a dialog. */
function namesOf(jobs: readonly JobModel[], trans: TranslationBundle): string {
  const names = jobs.slice(0, NAMED).map(job => trans.__('“%1”', shortened(job.name || job.id)));
  const more = jobs.length - names.length;
  return names.join(', ') + (more > 0 ? trans._n(' and one more', ' and %1 more', more) : '');
}

/** Open a notebook that loads the job's data; it is made at the first time. */
export async function openResult(tools: ITools, job: JobModel): Promise<void> {
  const { contents, kernelspecs } = tools.services;
  const path = `${job.id}.ipynb`;
  const folder = await told(contents.get('', { content: true }));
  if (!folder) {
    return;
  }
  const there = (folder.content as { name: string }[]).some(file => file.name === path);
  if (!there) {
    await kernelspecs.ready;
    const content = resultNotebook(job, kernelspecs.specs?.default ?? 'python3');
    if (!(await told(contents.save(path, { type: 'notebook', format: 'json', content })))) {
      return;
    }
  }
  await told(tools.commands.execute('docmanager:open', { path, factory: 'Notebook' }));
}

/** A notebook as JSON with a cell that loads the job's data. */
function resultNotebook(job: JobModel, kernel: string): object {
  const source = [
    'import qpi_jupyter',
    '',
    `job = qpi_jupyter.job(${JSON.stringify(job.id)})`,
    'ds = job.dataset()',
    'ds'
  ].join('\n');
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: { kernelspec: { name: kernel, display_name: kernel } },
    cells: [
      {
        cell_type: 'code',
        id: 'load-result',
        metadata: {},
        execution_count: null,
        outputs: [],
        source
      }
    ]
  };
}

/** A name as far as a sentence or the head of a tab can have it. */
export function shortened(name: string): string {
  return name.length > SAID ? `${name.slice(0, SAID)}…` : name;
}
