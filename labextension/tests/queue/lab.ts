import { Signal } from '@lumino/signaling';
import { type Column, compare } from '../../src/queue/order';
import type { ILabManager, ILabState } from '../../src/tokens';
import type { EventModel, JobModel } from '../../src/wire';
import { job } from '../faults';

/** A lab with `jobs`, newest first, that keeps to the list's filters and pages. */
export class QueueLab {
  jobs: JobModel[] = [];
  /** What `GET events` knows. */
  missed: EventModel[] = [];
  permissions = ['jobs:read'];
  refusal: string | null = null;
  readonly asked: string[] = [];
  readonly said = new Signal<ILabManager, EventModel>({} as ILabManager);
  readonly changed = new Signal<ILabManager, ILabState>({} as ILabManager);
  state: ILabState = {
    connection: 'connected',
    problem: null,
    qpus: [],
    jobs: []
  } as unknown as ILabState;

  constructor(count = 0) {
    this.jobs = Array.from({ length: count }, (_, index) => numbered(count - index));
  }

  /** What a model asks of the manager. */
  get manager(): ILabManager {
    const { said: events, changed } = this;
    const lab = this;
    return {
      events,
      changed,
      request: this.request,
      get state() {
        return lab.state;
      }
    } as unknown as ILabManager;
  }

  say(event: Partial<EventModel> & { seq: number }): void {
    this.said.emit({
      prev: event.seq - 1,
      at: '2026-01-01T00:00:00Z',
      kind: 'job.changed',
      job_id: null,
      qpu: 'sim-a',
      data: {},
      ...event
    });
  }

  connect(connection: ILabState['connection']): void {
    this.state = { ...this.state, connection };
    this.changed.emit(this.state);
  }

  readonly request = async <T>(path: string, init: RequestInit = {}): Promise<T> => {
    this.asked.push(`${init.method ?? 'GET'} ${path}`);
    await Promise.resolve();
    if (this.refusal !== null) {
      throw new Error(this.refusal);
    }
    return this._answer(new URL(path, 'http://lab/'), init) as T;
  };

  private _answer(url: URL, init: RequestInit): unknown {
    const [, what, id, more] = url.pathname.split('/');
    if (what === 'me') {
      return { user: { name: 'ada', groups: [] }, permissions: this.permissions };
    }
    if (what === 'events') {
      return { events: this.missed, cursor: this.missed.at(-1)?.seq ?? 0 };
    }
    if (id === undefined) {
      return this._page(url.searchParams);
    }
    const found = this.jobs.find(entry => entry.id === id);
    if (!found) {
      throw new Error(`There is no job ${id}.`);
    }
    if (init.method === 'DELETE') {
      this.jobs = this.jobs.filter(entry => entry !== found);
      return null;
    }
    return more === 'events' ? { events: this.missed, cursor: 0 } : found;
  }

  private _page(query: URLSearchParams): unknown {
    const limit = Number(query.get('limit'));
    const start = Number(query.get('after') ?? 0);
    const fit = this.jobs.filter(
      entry =>
        (query.get('mine') !== 'true' || entry.owner === 'ada') &&
        (!query.has('status') || entry.status === query.get('status')) &&
        (!query.has('name') || entry.name.includes(query.get('name') ?? ''))
    );
    const order = {
      by: query.get('sort') as Column,
      descending: query.get('descending') === 'true'
    };
    fit.sort((a, b) => compare(a, b, order));
    const end = start + limit;
    const next = end < fit.length ? String(end) : null;
    return { jobs: fit.slice(start, end), next, total: query.has('name') ? null : fit.length };
  }
}

/** Job `n`, submitted `n` seconds after the first. */
export function numbered(n: number, changes: Partial<JobModel> = {}): JobModel {
  const submitted_at = new Date(Date.UTC(2026, 0, 1) + 1000 * n).toISOString();
  return job({ id: `j${n}`, name: `job ${n}`, submitted_at, ...changes });
}
