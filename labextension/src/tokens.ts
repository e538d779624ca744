import type { LabIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import { Token } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';

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

export const ILabManager = new Token<ILabManager>('qpi-jupyter:ILabManager');

/** A kind of tab: one for the whole lab, or one for each value of an argument. */
export interface ITab {
  /** No other tab has it. The command `qpi:open-<name>` opens the tab, and so does the address `lab?qpi=<name>`. */
  readonly name: string;
  readonly icon: LabIcon;
  readonly label: string | CommandRegistry.CommandFunc<string>;
  readonly caption?: string;
  /** Its place in the menu and in the launcher (the panel's own: 10, 20, ...); without one it is in neither. */
  readonly rank?: number;
  readonly isVisible?: () => boolean;
  /** The argument that tells the tabs of this kind apart... */
  readonly argument?: string;
  /** ...and what it is where it was not given; null: nothing is opened. */
  readonly ask?: () => Promise<string | null>;
  readonly title: (value: string) => string;
  /** What the tab holds, loaded when the first one opens; null for somebody who may not see it. */
  readonly make: (value: string) => Promise<Widget | null>;
}

/** The tabs of the lab. Another extension adds its own as the panel does. */
export interface ITabs {
  /**
   * Open a kind of tab from the command palette, by its address, again after a reload, and from the menu and the
   * launcher if it has a place there. Throws where the name is taken.
   */
  add(tab: ITab): void;
}

export const ITabs = new Token<ITabs>('qpi-jupyter:ITabs');
