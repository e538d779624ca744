import type { IExperiment } from '../drawings';
import { isOfJob, withEvent } from '../jobs';
import { Refresher } from '../refresher';
import { isRefusal, type LabFile, messageOf } from '../request';
import { at, send } from '../send';
import { StateModel } from '../statemodel';
import type { ILabManager } from '../tokens';
import type {
  EventPage,
  FamilyModel,
  JobChange,
  JobModel,
  JobProvenance,
  LabEvent,
  PartialResult,
  ProgramText
} from '../wire';
import { mayEdit } from './filters';
import { resubmission, unpack } from './program';

/** The job is asked for at most this often (ms)... */
const EVERY = 250;
/** ...and this often where it waits and others move on (ms). */
const MOVED_ON = 2_000;
/** How long the lab keeps a question whose answer is not there yet (s). */
const PARKED = 50;
/** The story of a family of more jobs is too long to be read, and to be asked for again and again. */
export const TOLD = 100;

const UNREAD: ProgramText = {
  circuits: [],
  total: 0,
  problem: '',
  as_sent: false,
  language: '',
  suffix: '.bin'
};

/** What is known of one job. Never changed, only replaced. */
export interface IJobState {
  readonly job: JobModel | null;
  readonly sources: readonly Uint8Array[] | null;
  /** The circuits to be read. */
  readonly text: ProgramText | null;
  readonly provenance: JobProvenance | null;
  /** What happened to it, and to all of its family where that is not too large. */
  readonly events: readonly LabEvent[];
  /** The jobs that it hangs together with, itself included; null where it is alone. */
  readonly family: FamilyModel | null;
  /** Why something could not be had, in the words of whoever refused. */
  readonly problem: string | null;
  readonly deleted: boolean;
}

/** Where the result of a job comes from. */
export type IResultSource = Pick<JobDetail, 'download' | 'experiments'>;

/** One job with all that belongs to it, kept up to date by the lab's events. */
export class JobDetail extends StateModel<IJobState> {
  constructor(
    readonly id: string,
    private readonly _manager: ILabManager,
    private readonly _file: LabFile
  ) {
    super({
      job: null,
      sources: null,
      text: null,
      provenance: null,
      events: [],
      family: null,
      problem: null,
      deleted: false
    });
    this._path = at('jobs', id);
    this._leave = _manager.follow({
      heard: event => this._heard(event),
      missed: () => void this.refresh()
    });
  }

  /** Whether who looks may change the job. */
  get editable(): boolean {
    const { job } = this.state;
    return job !== null && mayEdit(job, this._manager.state.me);
  }

  /** Ask for the job and what happened to it; for what never changes only once. */
  async refresh(): Promise<void> {
    try {
      const ask = this._manager.request;
      const { sources, provenance } = this.state;
      const [job, events] = await Promise.all([
        ask<JobModel>(this._path),
        ask<EventPage>(`${this._path}/events`)
      ]);
      const family = job.family === null ? null : await ask<FamilyModel>(`${this._path}/family`);
      const told =
        family !== null && family.jobs.length <= TOLD
          ? await ask<EventPage>(`${this._path}/events?family=true`)
          : events;
      this._replace({ job, events: told.events, family, problem: null });
      const whole = provenance !== null && (job.status !== 'completed' || provenance.result);
      const [packed, known] = await Promise.all([
        sources ?? this._file(`${this._path}/program`).then(async blob => blob.arrayBuffer()),
        whole ? provenance : ask<JobProvenance>(`${this._path}/provenance`)
      ]);
      const parts = packed instanceof ArrayBuffer ? unpack(packed) : packed;
      this._replace({ sources: parts, provenance: known });
      this._text ??= this._read();
    } catch (error) {
      this._replace({ problem: messageOf(error) });
    }
  }

  async change(change: JobChange): Promise<void> {
    const { request } = this._manager;
    this._replace({ job: await send<JobModel>(request, 'PATCH', this._path, change) });
  }

  /** Submit the same once more; the new job. */
  async resubmit(): Promise<JobModel> {
    const { job, provenance, sources } = this.state;
    if (!job || !provenance || !sources) {
      throw new Error('The job is not loaded.');
    }
    const again = resubmission(job, provenance, sources);
    return send(this._manager.request, 'POST', 'jobs', again);
  }

  /** The result as Qiskit's JSON, or the dataset as a zip of NetCDF files. */
  async download(what: 'dataset' | 'result'): Promise<Blob> {
    return this._file(`${this._path}/${what}`);
  }

  /** What the lab tells of each circuit's result. */
  async experiments(): Promise<readonly IExperiment[]> {
    const result = await this._manager.request<{ results: IExperiment[] }>(`${this._path}/result`);
    return result.results;
  }

  /** Tell `heard` what the running attempt has measured, whenever there is more, until it has ended or `left` says so. */
  async follow(heard: (found: PartialResult) => void, left: AbortSignal): Promise<void> {
    let known = 0;
    while (!left.aborted) {
      const query = `wait_s=${PARKED}&version=${known}`;
      const found = await this._manager
        .request<PartialResult>(`${this._path}/partial?${query}`, { signal: left })
        .catch(error => (isRefusal(error) ? undefined : null));
      if (left.aborted || found === undefined) {
        return;
      }
      if (found === null) {
        await new Promise(resolve => setTimeout(resolve, MOVED_ON)); // the lab is away
      } else if (found.status === 'running') {
        known = found.version;
        heard(found);
      } else {
        return;
      }
    }
  }

  override dispose(): void {
    this._leave();
    this._refresher.dispose();
    this._movedOn.dispose();
    super.dispose();
  }

  private async _read(): Promise<void> {
    const text = await this._manager
      .request<ProgramText>(`${this._path}/program/text`)
      .catch(error => ({ ...UNREAD, problem: messageOf(error) }));
    this._replace({ text });
  }

  private _heard(event: LabEvent): void {
    const { job } = this.state;
    if (event.job_id !== this.id) {
      if (this._concerns(event)) {
        this._movedOn.want();
      }
    } else if (event.kind === 'job.deleted') {
      this._replace({ deleted: true });
    } else {
      if (job && isOfJob(event)) {
        this._replace({ job: withEvent(job, event) });
      }
      this._refresher.want();
    }
  }

  /** Whether what happened to another job may change what is to be said of this one. */
  private _concerns(event: LabEvent): boolean {
    const { job } = this.state;
    const family = isOfJob(event) ? event.data.family : undefined;
    if (job === null) {
      return family !== undefined; // asked for just now: it may be of the family
    }
    if (family !== undefined) {
      // A new job may bring families together.
      return family === job.family || event.kind === 'job.submitted';
    }
    return job.phase === 'queued' && event.kind === 'job.changed' && event.qpu === job.qpu;
  }

  private readonly _leave: () => void;
  private readonly _movedOn = new Refresher(() => this.refresh(), MOVED_ON);
  private readonly _path: string;
  private readonly _refresher = new Refresher(() => this.refresh(), EVERY);
  private _text: Promise<void> | undefined;
}
