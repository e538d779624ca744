import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import type { ILabManager } from '../tokens';
import type { EventModel } from '../wire';

/** A section of the tab: what one must be allowed to see it, and which of the lab's events change it. */
export interface ISection {
  readonly id: string;
  readonly permission: string;
  readonly events: readonly string[];
}

export const SECTIONS = [
  { id: 'qpus', permission: 'qpus:operate', events: ['qpu.'] },
  { id: 'drivers', permission: 'drivers:manage', events: ['qpu.'] },
  { id: 'simulators', permission: 'qpus:manage', events: ['qpu.'] },
  { id: 'people', permission: 'people:manage', events: ['person.'] },
  { id: 'groups', permission: 'people:manage', events: ['person.'] },
  { id: 'accounts', permission: 'time:grant', events: ['balance.'] },
  { id: 'requests', permission: 'time:grant', events: ['time_request.'] },
  { id: 'rules', permission: 'bookings:rules', events: [] },
  { id: 'notices', permission: 'notices:write', events: ['notice.'] },
  { id: 'audit', permission: 'audit:read', events: [] },
  { id: 'replay', permission: 'policies:try', events: ['replay.'] },
  { id: 'config', permission: 'audit:read', events: [] }
] as const satisfies readonly ISection[];

export type SectionId = (typeof SECTIONS)[number]['id'];

/** The sections that somebody with these permissions sees; none: no tab at all. */
export function sectionsFor(permissions: readonly string[]): readonly SectionId[] {
  return SECTIONS.filter(section => permissions.includes(section.permission)).map(({ id }) => id);
}

/** Whether `event` changes what `section` shows. */
export function concerns(section: SectionId, event: Pick<EventModel, 'kind'>): boolean {
  const kinds: readonly string[] = SECTIONS.find(({ id }) => id === section)?.events ?? [];
  return kinds.some(prefix => event.kind.startsWith(prefix));
}

/** What somebody may manage, as the lab last said who they are. */
export class Rights implements IDisposable {
  constructor(private readonly _manager: Pick<ILabManager, 'state' | 'changed'>) {
    _manager.changed.connect(this._seen, this);
    this._seen();
  }

  get sections(): readonly SectionId[] {
    return this._sections;
  }

  get permissions(): readonly string[] {
    return this._manager.state.me?.permissions ?? [];
  }

  get changed(): ISignal<this, readonly SectionId[]> {
    return this._changed;
  }

  /** Resolves when the lab has answered for the first time. */
  get known(): Promise<void> {
    return this._known;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    this._disposed = true;
    this._manager.changed.disconnect(this._seen, this);
    Signal.clearData(this);
  }

  private _seen(): void {
    if (this._manager.state.lastSeen !== null) {
      this._settle();
    }
    const permissions = this.permissions.join();
    if (permissions !== this._permissions) {
      this._permissions = permissions;
      this._sections = sectionsFor(this.permissions);
      this._changed.emit(this._sections);
    }
  }

  private _permissions = '';
  private _sections: readonly SectionId[] = [];
  private _disposed = false;
  private _settle: () => void = () => undefined;
  private readonly _known = new Promise<void>(resolve => {
    this._settle = resolve;
  });
  private readonly _changed = new Signal<this, readonly SectionId[]>(this);
}
