import type { IDisposable } from '@lumino/disposable';
import { Throttler } from '@lumino/polling';
import { type ISignal, Signal } from '@lumino/signaling';

import { type LabFile, messageOf } from '../request';
import type { ILabManager } from '../tokens';
import type {
  EventModel,
  EventPage,
  JobChange,
  JobModel,
  JobProvenance,
  Me,
  ProgramText
} from '../wire';
import { merged } from './filters';
import type { IExperiment } from './iq';
import { isText, plainText, resubmission, unpack } from './program';
import { EventReader } from './reader';

/** Events of the job that come closer together than this are one refetch (ms). */
const SETTLE = 150;
/** While it waits, the job is looked at again at most this often when others move (ms). */
const MOVED_ON = 2_000;

/** What is known of one job. Never changed, only replaced. */
export interface IJobState {
  readonly job: JobModel | null;
  readonly me: Me | null;
  readonly sources: readonly Uint8Array[] | null;
  /** The circuits to be read. */
  readonly text: ProgramText | null;
  readonly provenance: JobProvenance | null;
  readonly events: readonly EventModel[];
  /** Why something could not be had, in the words of whoever refused. */
  readonly problem: string | null;
  readonly deleted: boolean;
}

/** One job with all that belongs to it, kept up to date by the lab's events. */
export class JobDetail implements IDisposable {
  constructor(
    readonly id: string,
    private readonly _manager: ILabManager,
    private readonly _file: LabFile
  ) {
    this._path = `jobs/${encodeURIComponent(id)}`;
    this._settle = new Throttler(() => this.refresh(), { limit: SETTLE, edge: 'trailing' });
    this._movedOn = new Throttler(() => this.refresh(), { limit: MOVED_ON, edge: 'trailing' });
    this._reader = new EventReader(_manager, {
      heard: event => this._heard(event),
      lost: () => void this.refresh()
    });
  }

  get state(): IJobState {
    return this._state;
  }

  /** Emitted after `state` was replaced. */
  get changed(): ISignal<JobDetail, IJobState> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Whether who looks may change the job. */
  get editable(): boolean {
    const { job, me } = this._state;
    const any = me?.permissions.includes('jobs:edit:any') ?? false;
    return job !== null && (any || job.owner === me?.user.name);
  }

  /** Ask for the job and what happened to it; for what never changes only once. */
  async refresh(): Promise<void> {
    try {
      const ask = this._manager.request;
      const { me, sources, provenance } = this._state;
      const [job, events] = await Promise.all([
        ask<JobModel>(this._path),
        ask<EventPage>(`${this._path}/events`)
      ]);
      this._replace({ job, events: events.events, problem: null });
      const whole = provenance !== null && (job.status !== 'completed' || provenance.result);
      const [who, packed, known] = await Promise.all([
        me ?? ask<Me>('me'),
        sources ?? this._file(`${this._path}/program`).then(async blob => blob.arrayBuffer()),
        whole ? provenance : ask<JobProvenance>(`${this._path}/provenance`)
      ]);
      const parts = packed instanceof ArrayBuffer ? unpack(packed) : packed;
      this._replace({ me: who, sources: parts, provenance: known });
      this._text ??= this._read(job, parts);
    } catch (error) {
      this._replace({ problem: messageOf(error) });
    }
  }

  async change(change: JobChange): Promise<void> {
    const body = JSON.stringify(change);
    const job = await this._manager.request<JobModel>(this._path, { method: 'PATCH', body });
    this._replace({ job });
  }

  /** Submit the same once more; the new job. */
  async resubmit(): Promise<JobModel> {
    const { job, provenance, sources } = this._state;
    if (!job || !provenance || !sources) {
      throw new Error('The job is not loaded.');
    }
    const body = JSON.stringify(resubmission(job, provenance, sources));
    return this._manager.request<JobModel>('jobs', { method: 'POST', body });
  }

  /** The result as Qiskit's JSON, or the dataset as a zip of NetCDF files. */
  async download(what: 'dataset' | 'result'): Promise<Blob> {
    return this._file(`${this._path}/${what}`);
  }

  /** What the result has of each circuit: its points, where they are few enough. */
  async experiments(): Promise<readonly IExperiment[]> {
    const result = await this._manager.request<{ results: IExperiment[] }>(`${this._path}/result`);
    return result.results;
  }

  dispose(): void {
    if (!this._isDisposed) {
      this._isDisposed = true;
      this._reader.dispose();
      this._settle.dispose();
      this._movedOn.dispose();
      Signal.clearData(this);
    }
  }

  private async _read(job: JobModel, sources: readonly Uint8Array[]): Promise<void> {
    const text = isText(job.format)
      ? plainText(sources)
      : await this._manager
          .request<ProgramText>(`${this._path}/program/text`)
          .catch(error => ({ circuits: [], total: 0, problem: messageOf(error) }));
    this._replace({ text });
  }

  private _heard(event: EventModel): void {
    const { job } = this._state;
    if (event.job_id === this.id) {
      if (event.kind === 'job.deleted') {
        this._replace({ deleted: true });
        return;
      }
      if (job) {
        this._replace({ job: merged(job, event) });
      }
      this._settle.invoke().catch(() => undefined); // rejects only when disposed of
    } else if (job?.phase === 'queued' && event.kind === 'job.changed' && event.qpu === job.qpu) {
      this._movedOn.invoke().catch(() => undefined);
    }
  }

  private _replace(changes: Partial<IJobState>): void {
    if (!this._isDisposed) {
      this._state = { ...this._state, ...changes };
      this._changed.emit(this._state);
    }
  }

  private readonly _changed = new Signal<JobDetail, IJobState>(this);
  private readonly _movedOn: Throttler<void>;
  private readonly _path: string;
  private readonly _reader: EventReader;
  private readonly _settle: Throttler<void>;
  private _isDisposed = false;
  private _text: Promise<void> | undefined;
  private _state: IJobState = {
    job: null,
    me: null,
    sources: null,
    text: null,
    provenance: null,
    events: [],
    problem: null,
    deleted: false
  };
}
