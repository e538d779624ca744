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

  /** Ask anew, from the first page. */
  load(): Promise<void> {
    return this._ask(null);
  }

  /** The page that follows. */
  async more(): Promise<void> {
    if (this._state.next !== null && !this._state.busy) {
      await this._ask(this._state.next);
    }
  }

  dispose(): void {
    this._disposed = true;
    Signal.clearData(this);
  }

  private async _ask(after: string | null): Promise<void> {
    this._asked += 1;
    const asked = this._asked;
    this._replace({ ...this._state, busy: true });
    try {
      const page = await this._fetch(after);
      if (asked === this._asked) {
        const rows = after === null ? page.rows : [...this._state.rows, ...page.rows];
        this._replace({ rows, next: page.next, loaded: true, busy: false, problem: null });
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

/** Calls `reload` whenever the lab tells of something that `section` shows; until the answer is called. */
export function follow(
  manager: Pick<ILabManager, 'events'>,
  section: SectionId,
  reload: () => Promise<void>
): () => void {
  const settle = new Debouncer(reload, SETTLE);
  const heard = (_: unknown, event: EventModel) => {
    if (concerns(section, event)) {
      settle.invoke().catch(() => undefined); // rejects only when disposed of
    }
  };
  manager.events.connect(heard);
  return () => {
    manager.events.disconnect(heard);
    settle.dispose();
  };
}

/** What somebody may do, asked anew whenever the lab is back or says that people have changed. */
export class Rights implements IDisposable {
  constructor(private readonly _manager: ILabManager) {
    _manager.changed.connect(this._seen, this);
    _manager.events.connect(this._heard, this);
    void this._ask();
  }

  get sections(): readonly SectionId[] {
    return this._sections;
  }

  get permissions(): readonly string[] {
    return this._permissions;
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
    this._manager.events.disconnect(this._heard, this);
    Signal.clearData(this);
  }

  private _seen(): void {
    const connected = this._manager.state.connection === 'connected';
    if (connected && !this._connected) {
      void this._ask();
    }
    this._connected = connected;
  }

  private _heard(_: unknown, event: EventModel): void {
    if (event.kind.startsWith('person.')) {
      void this._ask();
    }
  }

  private async _ask(): Promise<void> {
    try {
      const me = await this._manager.request<{ permissions: readonly string[] }>('me');
      this._permissions = me.permissions;
    } catch {
      return; // asked again once the lab is back
    }
    const before = this._sections.join();
    this._sections = sectionsFor(this._permissions);
    this._settle();
    if (!this._disposed && before !== this._sections.join()) {
      this._changed.emit(this._sections);
    }
  }

  private _permissions: readonly string[] = [];
  private _sections: readonly SectionId[] = [];
  private _connected = false;
  private _disposed = false;
  private _settle: () => void = () => undefined;
  private readonly _known = new Promise<void>(resolve => {
    this._settle = resolve;
  });
  private readonly _changed = new Signal<this, readonly SectionId[]>(this);
}
