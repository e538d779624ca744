import type { JobEvent } from '../jobs';
import type { JobModel, Me } from '../wire';
import { TEXT_LABELS, type TextLabels, textLabels } from './labels';
import type { IOrder } from './order';

/** Which jobs the table has; what is null or empty leaves nobody out. */
export interface IFilters extends TextLabels {
  /** One's own only; else everything that one may see. */
  readonly mine: boolean;
  readonly status: JobModel['status'] | null;
  readonly qpu: string | null;
  /** Shared with it. */
  readonly group: string | null;
  /** All of them. */
  readonly tags: readonly string[];
  /** Each of its words is in the id, the name, a tag, the project, the owner, the QPU or the calibration, in any
   * case. */
  readonly text: string;
}

export const EVERYTHING_OF_MINE: IFilters = {
  mine: true,
  status: null,
  qpu: null,
  group: null,
  ...textLabels(() => ''),
  tags: [],
  text: ''
};

const ID = /^job-[0-9a-f]{16}$/;

export const STATUSES: readonly JobModel['status'][] = [
  'pending',
  'running',
  'completed',
  'failed',
  'cancelled'
];

/** Whether anything but whose jobs they are is filtered. */
export function isNarrow(filters: IFilters): boolean {
  const { mine, ...others } = filters;
  return Object.values(others).some(value => value !== null && value.length > 0);
}

/** The list that the lab is asked for. */
export function listPath(
  filters: IFilters,
  order: IOrder,
  limit: number,
  after: string | null
): string {
  const query = new URLSearchParams({
    limit: String(limit),
    mine: String(filters.mine),
    sort: order.by,
    descending: String(order.descending)
  });
  for (const [name, value] of [
    ['status', filters.status],
    ['qpu', filters.qpu],
    ['group', filters.group],
    ...TEXT_LABELS.map(name => [name, filters[name]] as const),
    ['text', filters.text],
    ['after', after]
  ] as const) {
    if (value) {
      query.set(name, value);
    }
  }
  for (const tag of filters.tags) {
    query.append('tag', tag);
  }
  return `jobs?${query}`;
}

/** Whether a job that may be seen belongs into the list, as the lab itself would say. */
export function belongs(job: JobModel, filters: IFilters, me: string | undefined): boolean {
  return (
    (!filters.mine || me === undefined || job.owner === me) &&
    (!filters.status || job.status === filters.status) &&
    (!filters.qpu || job.qpu === filters.qpu) &&
    (!filters.group || job.shared_with === filters.group) &&
    TEXT_LABELS.every(name => !filters[name] || job[name] === filters[name]) &&
    filters.tags.every(tag => job.tags.includes(tag)) &&
    mentions(job, filters.text)
  );
}

/** Whether each word of `text` is somewhere in what a job is known by; a whole id means that job alone. */
function mentions(job: JobModel, text: string): boolean {
  const words = text.split(/\s+/).filter(Boolean);
  const labels = TEXT_LABELS.map(name => job[name]);
  const placed = [job.qpu ?? '', job.calibration_id ?? ''];
  const said = [job.id, job.name, ...labels, job.owner, ...placed, ...job.tags];
  return words.every(word =>
    ID.test(word)
      ? job.id === word
      : said.some(one => one.toLowerCase().includes(word.toLowerCase()))
  );
}

/** Whether an event of a job that is not in the list may bring it there. */
export function mayBring(event: JobEvent, filters: IFilters, me: string): boolean {
  const { owner, status } = event.data;
  const shown =
    (!filters.mine || owner === me) &&
    (!filters.status || status === filters.status) &&
    (!filters.qpu || event.qpu === filters.qpu);
  const enters =
    event.kind === 'job.submitted' ||
    event.kind === 'job.edited' ||
    (event.kind === 'job.changed' && filters.status !== null);
  return shown && enters;
}

/** Whether somebody may change the job. */
export function mayEdit(job: JobModel, me: Me | null): boolean {
  return me !== null && (job.owner === me.user.name || me.permissions.includes('jobs:edit:any'));
}
