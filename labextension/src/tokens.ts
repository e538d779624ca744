import { Token } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';

import type { IListener } from './events';
import type { LabRequest } from './request';
import type { AccountModel, BookingModel, JobModel, Me, NoticeModel, QpuModel } from './wire';

/** Whether what is shown is the lab's present state; refused: it answers, but not to this person any more. */
export type Connection = 'connecting' | 'connected' | 'lost' | 'refused';

/** The lab as this browser tab last saw it. Never changed, only replaced. */
export interface ILabState {
  readonly connection: Connection;
  /** Why the connection is lost or refused, in the words of whoever refused. */
  readonly problem: string | null;
  /** When the lab last answered (the lab's ms since 1970); null before its first answer. */
  readonly lastSeen: number | null;
  readonly me: Me | null;
  /** My account; null where the lab keeps none. */
  readonly account: AccountModel | null;
  readonly qpus: readonly QpuModel[];
  /** My newest jobs, newest first. */
  readonly jobs: readonly JobModel[];
  /** Everybody's bookings of now and of the coming days, by their start. */
  readonly bookings: readonly BookingModel[];
  /** My bookings of now and later, by their start. */
  readonly myBookings: readonly BookingModel[];
  /** What I have to know and have not dismissed. */
  readonly notices: readonly NoticeModel[];
}

/** Keeps one up-to-date view of the lab for everything in the page. */
export interface ILabManager extends IDisposable {
  readonly state: ILabState;
  /** Emitted after `state` was replaced. */
  readonly changed: ISignal<ILabManager, ILabState>;
  /** Ask the lab anything, as the person that uses this page. */
  readonly request: LabRequest;
  /** The lab's present time (ms since 1970), whatever this computer's clock says. */
  now(): number;
  /** Tell `listener` of every event of the lab that one may see, until the answer is called. */
  follow(listener: IListener): () => void;
  /** Ask the lab who uses this page; rejects with its reason if it will not say. */
  identify(): Promise<Me | null>;
  /** Ask the lab for everything now; resolves when the answer, or its absence, is in `state`. */
  refresh(): Promise<void>;
  /** Ask the lab to cancel a job; rejects with the lab's reason if it will not. */
  cancel(jobId: string): Promise<void>;
}

export const ILabManager = new Token<ILabManager>(
  'qpi-jupyter:ILabManager',
  'The lab behind this Jupyter server: its QPUs, and what is mine there.'
);
