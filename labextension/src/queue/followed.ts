import type { IExperiment } from '../drawings';
import { isOfJob, MOVED_ON, movesOn, newer, withEvent } from '../jobs';
import { Refresher } from '../refresher';
import { isRefusal, type LabFile } from '../request';
import { at } from '../send';
import { StateModel } from '../statemodel';
import type { ILabManager } from '../tokens';
import type { JobModel, LabEvent, PartialResult } from '../wire';

/** The job is asked for at most this often (ms). */
const EVERY = 250;
/** How long the lab keeps a question whose answer is not there yet (s). */
const PARKED = 50;

/** What is known of a job that is followed. Never changed, only replaced. */
export interface IFollowed {
  readonly job: JobModel | null;
  /** Why something could not be had, in the words of whoever refused. */
  readonly problem: string | null;
  readonly deleted: boolean;
}

/** Of a job of which nothing is known yet. */
export const UNKNOWN: IFollowed = { job: null, problem: null, deleted: false };

/** A job that the lab's events keep up to date, and its result; `refresh` asks for what is shown beside. */
export abstract class FollowedJob<S extends IFollowed> extends StateModel<S> {
  constructor(
    readonly id: string,
    protected readonly _manager: ILabManager,
    protected readonly _file: LabFile,
    state: S
  ) {
    super(state);
    this._path = at('jobs', id);
    this._leave = _manager.follow({
      heard: event => this._heard(event),
      missed: () => this._refresher.want(),
      back: () => this._refresher.want()
    });
  }

  /** Ask for the job, and put what is had into the state. */
  abstract refresh(): Promise<void>;

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

  /** The job as the lab has it now, unless something newer was heard meanwhile. */
  protected async _ask(): Promise<JobModel> {
    const found = await this._manager.request<JobModel>(this._path);
    return newer(this.state.job ?? undefined, found);
  }

  /** Whether what happened to another job may change what is to be said of this one. */
  protected _concerns(event: LabEvent): boolean {
    const { job } = this.state;
    if (event.kind !== 'job.changed' || !movesOn(job?.phase)) {
      return false;
    }
    return job?.phase === 'blocked' ? event.data.family === job.family : event.qpu === job?.qpu;
  }

  private _heard(event: LabEvent): void {
    const { job } = this.state;
    if (event.job_id !== this.id) {
      if (this._concerns(event)) {
        this._movedOn.want();
      }
    } else if (event.kind === 'job.deleted') {
      this._note({ deleted: true });
    } else {
      if (job && isOfJob(event)) {
        this._note({ job: withEvent(job, event) });
      }
      this._refresher.want();
    }
  }

  private _note(changes: Partial<IFollowed>): void {
    this._replace(changes as Partial<S>);
  }

  protected readonly _path: string;
  private readonly _leave: () => void;
  private readonly _movedOn = new Refresher(() => this.refresh(), MOVED_ON);
  private readonly _refresher = new Refresher(() => this.refresh(), EVERY);
}

/** Where the result of a job comes from. */
export type IResultSource = Pick<FollowedJob<IFollowed>, 'download' | 'experiments'>;

/** Where the rows of a running job come from. */
export type IGrowingSource = Pick<FollowedJob<IFollowed>, 'follow'>;
