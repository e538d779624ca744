import { Token } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';

import type { LabRequest } from './request';
import type { EventModel, JobModel, QpuModel } from './wire';

/** Whether what is shown is the lab's present state. */
export type Connection = 'connecting' | 'connected' | 'lost';

/** The lab as this browser tab last saw it. Never changed, only replaced. */
export interface ILabState {
  readonly connection: Connection;
  /** Why the connection is lost, in the words of whoever refused. */
  readonly problem: string | null;
  readonly qpus: readonly QpuModel[];
  /** My newest jobs, newest first. */
  readonly jobs: readonly JobModel[];
}

/** Keeps one up-to-date view of the lab for everything in the page. */
export interface ILabManager extends IDisposable {
  readonly state: ILabState;
  /** Emitted after `state` was replaced. */
  readonly changed: ISignal<ILabManager, ILabState>;
  /** Every event of the lab that one may see, as it comes over Jupyter's event bus. */
  readonly events: ISignal<ILabManager, EventModel>;
  /** Ask the lab anything, as the person that uses this page. */
  readonly request: LabRequest;
  /** Ask the lab now; resolves when the answer, or its absence, is in `state`. */
  refresh(): Promise<void>;
  /** Ask the lab to cancel a job; rejects with the lab's reason if it will not. */
  cancel(jobId: string): Promise<void>;
}

export const ILabManager = new Token<ILabManager>(
  'qpi-jupyter:ILabManager',
  'The QPUs and jobs of the lab behind this Jupyter server.'
);
