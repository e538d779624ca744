import type { BookingModel } from '../wire';
import type { IInterval } from './refusal';

/** Bookings of one QPU that are too many and too short to be drawn one by one. */
export interface ICluster extends IInterval {
  readonly qpu: string;
  readonly count: number;
}

const HOUR = 3_600_000;
/** Bookings are put together by so many hours, the smallest that is enough. */
const BLOCKS = [1, 2, 4, 8, 24];

/** At most about `most` entries: one's own and long bookings as they are, the others together where need be. */
export function clustered(
  bookings: readonly BookingModel[],
  most: number
): { single: readonly BookingModel[]; clusters: readonly ICluster[] } {
  let found = { single: bookings, clusters: [] as readonly ICluster[] };
  for (const hours of BLOCKS) {
    if (found.single.length + found.clusters.length <= most) {
      break;
    }
    found = together(bookings, hours * HOUR);
  }
  return found;
}

function together(bookings: readonly BookingModel[], block: number) {
  const single: BookingModel[] = [];
  const groups = new Map<string, BookingModel[]>();
  for (const booking of bookings) {
    const start = Date.parse(booking.start_at);
    if (booking.mine || Date.parse(booking.end_at) - start >= block) {
      single.push(booking);
    } else {
      const key = `${Math.floor(start / block)} ${booking.qpu}`;
      const group = groups.get(key) ?? [];
      group.push(booking);
      groups.set(key, group);
    }
  }
  const clusters: ICluster[] = [];
  for (const [first, ...others] of groups.values()) {
    if (first !== undefined && others.length === 0) {
      single.push(first);
    } else if (first !== undefined) {
      clusters.push(clusterOf(first, others));
    }
  }
  return { single, clusters };
}

function clusterOf(first: BookingModel, others: readonly BookingModel[]): ICluster {
  let [start, end] = [Date.parse(first.start_at), Date.parse(first.end_at)];
  for (const { start_at, end_at } of others) {
    start = Math.min(start, Date.parse(start_at));
    end = Math.max(end, Date.parse(end_at));
  }
  const [start_at, end_at] = [new Date(start).toISOString(), new Date(end).toISOString()];
  return { qpu: first.qpu, count: others.length + 1, start_at, end_at };
}
