import type { Event } from '@jupyterlab/services';
import type { CommandRegistry } from '@lumino/commands';
import { Signal } from '@lumino/signaling';

import { EventFollower } from '../src/events';
import { textLabels } from '../src/queue/labels';
import type { LabRequest } from '../src/request';
import type { ILabManager } from '../src/tokens';
import type {
  AccountModel,
  BookingModel,
  JobModel,
  LabEvent,
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

/** JupyterLab's commands, as far as somebody asks for them: Lumino's own need a browser. */
export class FakeCommands {
  readonly commandChanged = new Signal<CommandRegistry, CommandRegistry.ICommandChangedArgs>(
    this as never
  );
  /** Those that whoever looks may not use. */
  readonly hidden = new Set<string>();

  add(id: string, ...args: string[]): void {
    const properties = Object.fromEntries(args.map(name => [name, { type: 'string' }]));
    this._known.set(id, { args: { type: 'object', properties } });
  }

  hasCommand(id: string): boolean {
    return this._known.has(id);
  }

  describedBy(id: string): Promise<CommandRegistry.Description> {
    return Promise.resolve(this._known.get(id) ?? { args: null });
  }

  isVisible(id: string): boolean {
    return this._known.has(id) && !this.hidden.has(id);
  }

  private readonly _known = new Map<string, CommandRegistry.Description>();
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
      me: this.me,
      events: { events: [], cursor: 0 }
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
  reason: '',
  until_at: null,
  hold: null,
  session: null,
  ...changes
});

export const job = (changes: Partial<JobModel> = {}): JobModel => ({
  id: 'j1',
  qpus: [],
  version: 1,
  owner: 'ada',
  calibration: null,
  calibration_id: null,
  status: 'pending',
  phase: 'queued',
  family: null,
  parent: null,
  qpu: 'sim-a',
  name: '',
  tags: [],
  priority: 0,
  attempt: 0,
  checked: true,
  progress: 0,
  rows: 0,
  format: 'openqasm3',
  num_circuits: 1,
  shots: 2000,
  submitted_at: '2026-01-01T00:00:00Z',
  started_at: null,
  ended_at: null,
  estimate_s: null,
  eta: null,
  upper_s: null,
  busy_s: null,
  reason: null,
  error: null,
  dataset: null,
  origin: {},
  retry_safe: false,
  ...textLabels(() => ''),
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
    email_verified: false,
    suspended_at: null,
    created_at: null,
    seen_at: null
  },
  permissions: [],
  timezone: null
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

/** What events say of a job. */
const { status, phase, attempt, version, checked, progress, name, owner } = job();
const JOB_DATA = { status, phase, attempt, version, checked, progress, name, owner };

/** What a test says of an event: of its data, what matters. */
export interface ISaid {
  readonly seq?: number;
  readonly prev?: number;
  readonly at?: string;
  readonly kind?: LabEvent['kind'] | 'something.new';
  readonly job_id?: string | null;
  readonly qpu?: string | null;
  readonly data?: object;
}

export const event = (said: ISaid = {}): LabEvent =>
  ({
    seq: 1,
    prev: 0,
    at: '2026-01-01T00:00:00Z',
    kind: 'job.changed',
    job_id: null,
    qpu: null,
    ...said,
    data: { ...(said.kind?.startsWith('job.') !== false && JOB_DATA), ...said.data }
  }) as LabEvent;

/** The events of a manager, as its readers follow them. */
export class FakeEvents {
  private readonly _bus = new FakeBus();
  private readonly _follower: EventFollower;
  private _seq = 0;

  constructor(request: LabRequest = async () => ({ events: [], cursor: 0 }) as never) {
    this._follower = new EventFollower(this._bus.stream, request);
  }

  readonly follow: ILabManager['follow'] = listener => this._follower.follow(listener);

  /** The next event, or the one with that `seq`. */
  say(said: ISaid): void {
    const { seq = this._seq + 1 } = said;
    this._bus.say({ ...event({ prev: this._seq, ...said, seq }) });
    this._seq = seq;
  }

  /** Lose some, which the lab does not know either. */
  async lose(): Promise<void> {
    this.say({ kind: 'something.new' });
    this._seq += 3;
    this.say({ kind: 'something.new' });
    await Promise.resolve();
  }

  /** The lab was away, and is back. */
  back(): Promise<void> {
    return this._follower.catchUp();
  }
}
