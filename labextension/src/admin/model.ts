import type { IDisposable } from '@lumino/disposable';
import { Debouncer } from '@lumino/polling';
import { type ISignal, Signal } from '@lumino/signaling';

import type { LabRequest } from '../request';
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

/** What went wrong, in the words of whoever refused. */
export function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Ask the lab to change something. */
export function send<T>(
  request: LabRequest,
  method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  body?: object
): Promise<T> {
  return request<T>(path, body === undefined ? { method } : { method, body: JSON.stringify(body) });
}

/** An address below qpi/v1/; every part after the first is quoted. */
export function at(first: string, ...parts: readonly string[]): string {
  return [first, ...parts.map(encodeURIComponent)].join('/');
}

export interface IPage<T> {
  readonly rows: readonly T[];
  readonly next: string | null;
}

export interface IListing<T> extends IPage<T> {
  readonly loaded: boolean;
  readonly busy: boolean;
  readonly problem: string | null;
}

/** Fetches a page; `after` is the cursor that the page before named. */
export type Fetch<T> = (after: string | null) => Promise<IPage<T>>;

/** Rows of the lab, page by page. Of answers that overtake each other the newest question's counts. */
export class Listing<T> implements IDisposable {
  constructor(private readonly _fetch: Fetch<T>) {}

  get state(): IListing<T> {
    return this._state;
  }

  get changed(): ISignal<this, IListing<T>> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Ask anew, for as many pages as are shown. */
  load(): Promise<void> {
    return this._ask(null, [], Math.max(1, this._pages));
  }

  /** Ask something else: from the first page. */
  begin(): Promise<void> {
    return this._ask(null, [], 1);
  }

  /** The page that follows. */
  more(): Promise<void> {
    return this._further(1);
  }

  /** All pages that follow. */
  rest(): Promise<void> {
    return this._further(Number.POSITIVE_INFINITY);
  }

  dispose(): void {
    this._disposed = true;
    Signal.clearData(this);
  }

  private async _further(pages: number): Promise<void> {
    if (this._state.next !== null && !this._state.busy) {
      await this._ask(this._state.next, this._state.rows, pages);
    }
  }

  private async _ask(after: string | null, before: readonly T[], pages: number): Promise<void> {
    this._asked += 1;
    const asked = this._asked;
    this._replace({ ...this._state, busy: true });
    try {
      let [rows, next, got] = [before, after, 0];
      do {
        const page: IPage<T> = await this._fetch(next);
        [rows, next, got] = [[...rows, ...page.rows], page.next, got + 1];
      } while (next !== null && got < pages && asked === this._asked && !this._disposed);
      if (asked === this._asked) {
        this._pages = after === null ? got : this._pages + got;
        this._replace({ rows, next, loaded: true, busy: false, problem: null });
      }
    } catch (error) {
      if (asked === this._asked) {
        this._replace({ ...this._state, busy: false, problem: said(error) });
      }
    }
  }

  private _replace(state: IListing<T>): void {
    if (!this._disposed) {
      this._state = state;
      this._changed.emit(state);
    }
  }

  private _state: IListing<T> = {
    rows: [],
    next: null,
    loaded: false,
    busy: false,
    problem: null
  };
  private _asked = 0;
  private _pages = 0;
  private _disposed = false;
  private readonly _changed = new Signal<this, IListing<T>>(this);
}

/** A list that comes whole. */
export function whole<T>(fetch: () => Promise<readonly T[]>): Fetch<T> {
  return async () => ({ rows: await fetch(), next: null });
}

/** Every page of a list, for choices in forms. */
export async function everything<T>(fetch: Fetch<T>): Promise<readonly T[]> {
  const rows: T[] = [];
  let next: string | null = null;
  do {
    const page: IPage<T> = await fetch(next);
    rows.push(...page.rows);
    next = page.next;
  } while (next !== null);
  return rows;
}

/** Events that come closer together than this are one reload (ms). */
const SETTLE = 250;

/** What a section follows: the lab's events, and whether some of them were lost. */
export type Followed = Pick<ILabManager, 'events' | 'gap' | 'changed' | 'state'>;

/** Calls `reload` whenever something that `section` shows has changed, or may have: events were lost, or the lab was
 * away for a while. Until the answer is called. */
export function follow(
  manager: Followed,
  section: SectionId,
  reload: () => Promise<void>
): () => void {
  const settle = new Debouncer(reload, SETTLE);
  const soon = () => {
    settle.invoke().catch(() => undefined); // rejects only when disposed of
  };
  const heard = (_: unknown, event: EventModel) => {
    if (concerns(section, event)) {
      soon();
    }
  };
  let connection = manager.state.connection;
  const seen = () => {
    const before = connection;
    connection = manager.state.connection;
    if (before === 'lost' && connection === 'connected') {
      soon();
    }
  };
  manager.events.connect(heard);
  manager.gap.connect(soon);
  manager.changed.connect(seen);
  return () => {
    manager.events.disconnect(heard);
    manager.gap.disconnect(soon);
    manager.changed.disconnect(seen);
    settle.dispose();
  };
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
