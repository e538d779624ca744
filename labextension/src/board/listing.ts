import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import { type LabRequest, messageOf } from '../request';

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
        this._replace({ ...this._state, busy: false, problem: messageOf(error) });
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
