import { ServerConnection } from '@jupyterlab/services';
import { type Column, compare } from '../../src/queue/order';
import type { ILabManager, ILabState } from '../../src/tokens';
import type { FamilyModel, JobModel, LabEvent, PlanRun } from '../../src/wire';
import { event, FakeEvents, type ISaid, job, me } from '../faults';

/** A lab with `jobs`, newest first, that keeps to the list's filters and pages. */
export class QueueLab {
  jobs: JobModel[] = [];
  /** What `GET events` knows. */
  missed: LabEvent[] = [];
  refusal: string | null = null;
  /** What is drawn of a running job so far. */
  drawings: Record<string, unknown>[] = [];
  /** What its first job runs; null: it is a job as others. */
  plan: PlanRun | null = {
    job_id: 'j1',
    plan: null,
    fragments: [],
    deadline_at: null,
    cost_s: 0
  };
  /** How long an answer is under way (ms): what happens meanwhile is not in it. */
  latency = 0;
  readonly asked: string[] = [];
  state: ILabState = {
    connection: 'connected',
    problem: null,
    me: me(),
    qpus: [],
    jobs: []
  } as unknown as ILabState;

  constructor(count = 0) {
    this.jobs = Array.from({ length: count }, (_, index) => numbered(count - index));
  }

  /** What a model asks of the manager. */
  get manager(): ILabManager {
    const lab = this;
    return {
      follow: this._events.follow,
      request: this.request,
      get state() {
        return lab.state;
      },
      changed: { connect: () => undefined }
    } as unknown as ILabManager;
  }

  /** An event; of its job's data it says what the lab knows, unless told otherwise. */
  say(said: ISaid & { seq: number }): void {
    this.missed.push(this.event(said));
    this._events.say(this.missed.at(-1) ?? {});
  }

  event(said: ISaid & { seq: number }): LabEvent {
    const known = this.jobs.find(({ id }) => id === said.job_id) ?? job();
    const { status, phase, attempt, version, checked, progress, name, owner } = known;
    const data = { status, phase, attempt, version, checked, progress, name, owner, ...said.data };
    return event({ prev: said.seq - 1, qpu: 'sim-a', ...said, data });
  }

  /** The lab was away, and is back. */
  back(): Promise<void> {
    return this._events.back();
  }

  readonly request = async <T>(path: string, init: RequestInit = {}): Promise<T> => {
    this.asked.push(`${init.method ?? 'GET'} ${path}`);
    const { refusal } = this;
    const answer = refusal === null ? this._answer(new URL(path, 'http://lab/'), init) : null;
    await (this.latency > 0
      ? new Promise(resolve => setTimeout(resolve, this.latency))
      : Promise.resolve());
    if (refusal !== null) {
      throw new Error(refusal);
    }
    return answer as T;
  };

  private readonly _events = new FakeEvents(this.request);

  private _answer(url: URL, init: RequestInit): unknown {
    const [, what, id, more] = url.pathname.split('/');
    if (what === 'me') {
      return me();
    }
    if (what === 'events') {
      const [after, limit] = ['after', 'limit'].map(name => Number(url.searchParams.get(name)));
      const events = this.missed.filter(({ seq }) => seq > (after ?? 0)).slice(0, limit);
      return { events, cursor: events.at(-1)?.seq ?? after };
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
    if (more === 'partial') {
      return { status: found.status, attempt: found.attempt, drawings: this.drawings };
    }
    if (more === 'plan') {
      if (this.plan === null) {
        throw new ServerConnection.ResponseError(new Response(null, { status: 404 }));
      }
      return this.plan;
    }
    if (more === 'family') {
      return this._family(found);
    }
    return more === 'events' ? { events: this.missed, cursor: 0 } : found;
  }

  private _family({ family }: JobModel): FamilyModel {
    const jobs = this.jobs.filter(job => job.family === family);
    return { jobs: jobs.map(job => ({ ...job, after: [] })), cost_s: jobs.length };
  }

  private _page(query: URLSearchParams): unknown {
    const limit = Number(query.get('limit'));
    const start = Number(query.get('after') ?? 0);
    const words = query.get('text')?.split(' ') ?? [];
    const fit = this.jobs.filter(
      entry =>
        (query.get('mine') !== 'true' || entry.owner === 'ada') &&
        (!query.has('status') || entry.status === query.get('status')) &&
        words.every(word => entry.name.includes(word))
    );
    const order = {
      by: query.get('sort') as Column,
      descending: query.get('descending') === 'true'
    };
    fit.sort((a, b) => compare(a, b, order));
    const end = start + limit;
    const next = end < fit.length ? String(end) : null;
    return { jobs: fit.slice(start, end), next, total: query.has('text') ? null : fit.length };
  }
}

/** Job `n`, submitted `n` seconds after the first. */
export function numbered(n: number, changes: Partial<JobModel> = {}): JobModel {
  const submitted_at = new Date(Date.UTC(2026, 0, 1) + 1000 * n).toISOString();
  return job({ id: `j${n}`, name: `job ${n}`, submitted_at, ...changes });
}
