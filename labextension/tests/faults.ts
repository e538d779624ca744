import type { Event } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';

import type { LabRequest } from '../src/request';
import type {
  AccountModel,
  BookingModel,
  EventModel,
  JobModel,
  Me,
  NoticeModel,
  QpuModel
} from '../src/wire';
import { LAB_EVENTS } from '../src/wire';

/** Jupyter's event bus, spoken on by the test. */
export class FakeBus {
  readonly stream = new Signal<FakeBus, Event.Emission>(this);

  say(data: Record<string, unknown>, schema = LAB_EVENTS): void {
    this.stream.emit({ schema_id: schema, ...data } as unknown as Event.Emission);
  }
}

/** A lab that answers from its fields, refuses while `refusal` is set, and remembers what it was asked. */
export class FakeLab {
  qpus: QpuModel[] = [];
  jobs: JobModel[] = [];
  bookings: BookingModel[] = [];
  notices: NoticeModel[] = [];
  account: AccountModel | null = null;
  me: Me = me();
  refusal: Error | string | null = null;
  readonly asked: string[] = [];

  readonly request: LabRequest = async <T>(path: string, init: RequestInit = {}) => {
    this.asked.push(`${init.method ?? 'GET'} ${path}`);
    const answer = this._answer(path);
    await this._held;
    if (this.refusal !== null) {
      throw typeof this.refusal === 'string' ? new Error(this.refusal) : this.refusal;
    }
    return answer as T;
  };

  private _answer(path: string): unknown {
    const [first = ''] = path.split(/[/?]/);
    const own = path.includes('mine=true');
    const answers: Record<string, unknown> = {
      qpus: { qpus: this.qpus },
      jobs: { jobs: this.jobs, next: null, total: null },
      bookings: {
        bookings: this.bookings.filter(one => one.mine || !own),
        next: null,
        cut_at: null
      },
      notices: { notices: this.notices },
      accounts: this.account,
      me: this.me
    };
    return answers[first];
  }

  /** Lets no answer out until the returned function is called. */
  hold(): () => void {
    let release = () => {};
    this._held = new Promise(resolve => {
      release = resolve;
    });
    return () => release();
  }

  /** How often the job list was asked for. */
  get fetches(): number {
    return this.asked.filter(line => line.startsWith('GET jobs?')).length;
  }

  private _held: Promise<void> = Promise.resolve();
}

export const qpu = (changes: Partial<QpuModel> = {}): QpuModel => ({
  name: 'sim-a',
  kind: 'pool',
  status: 'online',
  simulator: true,
  executor: 'qiskit_aer',
  num_qubits: 24,
  places: 2,
  queued: 0,
  running: 1,
  description: '',
  hold: null,
  session: null,
  ...changes
});

export const job = (changes: Partial<JobModel> = {}): JobModel => ({
  id: 'j1',
  version: 1,
  owner: 'ada',
  status: 'pending',
  phase: 'queued',
  qpu: 'sim-a',
  name: '',
  tags: [],
  priority: 0,
  attempt: 0,
  checked: true,
  progress: 0,
  format: 'openqasm3',
  num_circuits: 1,
  shots: 2000,
  submitted_at: '2026-01-01T00:00:00Z',
  started_at: null,
  ended_at: null,
  estimate_s: null,
  upper_s: null,
  busy_s: null,
  reason: null,
  error: null,
  dataset: null,
  origin: {},
  retry_safe: false,
  project: '',
  account: 'ada',
  shared_with: null,
  counts: null,
  ...changes
});

export const me = (name = 'ada'): Me => ({
  user: {
    name,
    display_name: '',
    roles: ['user'],
    groups: [],
    source: 'local',
    email: '',
    suspended_at: null,
    created_at: null,
    seen_at: null
  },
  permissions: []
});

export const booking = (changes: Partial<BookingModel> = {}): BookingModel => ({
  id: 'b1',
  version: 1,
  qpu: 'sim-a',
  booked_by: 'ada',
  start_at: '2026-01-01T10:00:00Z',
  end_at: '2026-01-01T11:00:00Z',
  mode: 'exclusive',
  status: 'booked',
  title: null,
  invited: [],
  mine: false,
  series_id: null,
  slot_id: null,
  timezone: 'UTC',
  used_at: null,
  created_at: null,
  changed_at: null,
  ...changes
});

export const event = (changes: Partial<EventModel> = {}): EventModel => ({
  seq: 1,
  prev: 0,
  at: '2026-01-01T00:00:00Z',
  kind: 'job.changed',
  job_id: null,
  qpu: null,
  data: {},
  ...changes
});
