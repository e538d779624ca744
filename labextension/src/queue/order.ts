import type { JobModel } from '../wire';

export type Column = 'submitted' | 'state' | 'name' | 'qpu' | 'owner' | 'shots';

/** By what the table is sorted; of jobs that are alike the newest come first. */
export interface IOrder {
  readonly by: Column;
  readonly descending: boolean;
}

export const NEWEST_FIRST: IOrder = { by: 'submitted', descending: true };
export const COLUMNS: readonly Column[] = ['submitted', 'state', 'name', 'qpu', 'owner', 'shots'];

/** The lab compares so many characters of a text. */
const COMPARED = 100;
/** The lab's own order of states. */
const RANKS: Record<JobModel['phase'], number> = {
  blocked: 0,
  queued: 1,
  assigned: 2,
  running: 3,
  lost: 3,
  cancelling: 4,
  completed: 5,
  failed: 6,
  cancelled: 7
};

/** The order after a click on the head of a column: the other way round, or that column's usual one. */
export function turned(order: IOrder, by: Column): IOrder {
  return by === order.by
    ? { by, descending: !order.descending }
    : { by, descending: by === 'submitted' };
}

/** Whether `a` comes before `b` (negative) or behind it, as the lab itself would say. */
export function compare(a: JobModel, b: JobModel, { by, descending }: IOrder): number {
  const [first, second] = [keyOf(a, by), keyOf(b, by)];
  if (first !== second) {
    return first < second === descending ? 1 : -1;
  }
  return Date.parse(b.submitted_at) - Date.parse(a.submitted_at);
}

function keyOf(job: JobModel, by: Column): number | string {
  switch (by) {
    case 'submitted':
      return Date.parse(job.submitted_at);
    case 'state':
      return RANKS[job.phase];
    case 'shots':
      return job.shots;
    default:
      return (job[by] ?? '').toLowerCase().slice(0, COMPARED);
  }
}
