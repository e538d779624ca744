import { isOfJob } from '../jobs';
import { isRefusal, type LabFile, messageOf } from '../request';
import { send } from '../send';
import type { ILabManager } from '../tokens';
import type {
  EventPage,
  FamilyModel,
  JobChange,
  JobModel,
  JobProvenance,
  LabEvent,
  PlanRun,
  ProgramText
} from '../wire';
import { mayEdit } from './filters';
import { FollowedJob, type IFollowed, UNKNOWN } from './followed';
import { resubmission, unpack } from './program';

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
export interface IJobState extends IFollowed {
  readonly sources: readonly Uint8Array[] | null;
  /** The circuits to be read. */
  readonly text: ProgramText | null;
  readonly provenance: JobProvenance | null;
  /** What happened to it, and to all of its family where that is not too large. */
  readonly events: readonly LabEvent[];
  /** The jobs that it hangs together with, itself included; null where it is alone. */
  readonly family: FamilyModel | null;
  /** How its circuit is spread over QPUs; null where it runs on one. */
  readonly plan: PlanRun | null;
}

/** One job with all that belongs to it, kept up to date by the lab's events. */
export class JobDetail extends FollowedJob<IJobState> {
  constructor(id: string, manager: ILabManager, file: LabFile) {
    super(id, manager, file, {
      ...UNKNOWN,
      sources: null,
      text: null,
      provenance: null,
      events: [],
      family: null,
      plan: null
    });
  }

  /** Whether who looks may change the job. */
  get editable(): boolean {
    const { job } = this.state;
    return job !== null && mayEdit(job, this._manager.state.me);
  }

  /** Ask for the job and what happened to it; for what never changes only once. */
  override async refresh(): Promise<void> {
    this._asking += 1;
    try {
      const ask = this._manager.request;
      const { sources, provenance } = this.state;
      const [job, events] = await Promise.all([
        this._ask(),
        ask<EventPage>(`${this._path}/events`)
      ]);
      const family = job.family === null ? null : await ask<FamilyModel>(`${this._path}/family`);
      const told =
        family !== null && family.jobs.length <= TOLD
          ? await ask<EventPage>(`${this._path}/events?family=true`)
          : events;
      const plan = await this._plan(job);
      this._replace({ job, events: told.events, family, plan, problem: null });
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
    } finally {
      this._asking -= 1;
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

  /** The plan of a job that has one: such a job is the first of its family. */
  private async _plan({ family, id }: JobModel): Promise<PlanRun | null> {
    if (family !== id || this._unplanned) {
      return null;
    }
    try {
      return await this._manager.request<PlanRun>(`${this._path}/plan`);
    } catch (error) {
      if (isRefusal(error) && [403, 404].includes(error.response.status)) {
        this._unplanned = true;
        return null;
      }
      throw error;
    }
  }

  private async _read(): Promise<void> {
    const text = await this._manager
      .request<ProgramText>(`${this._path}/program/text`)
      .catch(error => ({ ...UNREAD, problem: messageOf(error) }));
    this._replace({ text });
  }

  /** Whether what happened to another job may change what is to be said of this one. */
  protected override _concerns(event: LabEvent): boolean {
    const { job } = this.state;
    const family = isOfJob(event) ? event.data.family : undefined;
    if (job === null) {
      return family !== undefined; // asked for just now: it may be of the family
    }
    if (family !== undefined) {
      // A new job may bring families together; while one asks, which family it is may just change.
      return family === job.family || event.kind === 'job.submitted' || this._asking > 0;
    }
    return super._concerns(event);
  }

  private _asking = 0;
  private _unplanned = false;
  private _text: Promise<void> | undefined;
}
