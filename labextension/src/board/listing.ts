import { type LabRequest, messageOf } from '../request';
import { StateModel } from '../statemodel';

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
export class Listing<T> extends StateModel<IListing<T>> {
  constructor(private readonly _fetch: Fetch<T>) {
    super({ rows: [], next: null, loaded: false, busy: false, problem: null });
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

  private async _further(pages: number): Promise<void> {
    if (this.state.next !== null && !this.state.busy) {
      await this._ask(this.state.next, this.state.rows, pages);
    }
  }

  private async _ask(after: string | null, before: readonly T[], pages: number): Promise<void> {
    this._asked += 1;
    const asked = this._asked;
    this._replace({ busy: true });
    try {
      let [rows, next, got] = [before, after, 0];
      do {
        const page: IPage<T> = await this._fetch(next);
        [rows, next, got] = [[...rows, ...page.rows], page.next, got + 1];
      } while (next !== null && got < pages && asked === this._asked && !this.isDisposed);
      if (asked === this._asked) {
        this._pages = after === null ? got : this._pages + got;
        this._replace({ rows, next, loaded: true, busy: false, problem: null });
      }
    } catch (error) {
      if (asked === this._asked) {
        this._replace({ busy: false, problem: messageOf(error) });
      }
    }
  }

  private _asked = 0;
  private _pages = 0;
}

/** A list that comes in pages: where it is, and which rows a page has. */
export function pages<P extends { readonly next: string | null }, T>(
  request: LabRequest,
  path: string,
  rows: (page: P) => readonly T[]
): Fetch<T> {
  return async after => {
    const from = after === null ? '' : `&after=${encodeURIComponent(after)}`;
    const page = await request<P>(path + from);
    return { rows: rows(page), next: page.next };
  };
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
