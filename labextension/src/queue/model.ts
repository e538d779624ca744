import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import { isOfJob, type JobEvent, MOVED_ON, movesOn, newer, withEvent } from '../jobs';
import { Refresher } from '../refresher';
import { messageOf } from '../request';
import { at } from '../send';
import type { ILabManager } from '../tokens';
import type { JobModel, JobPage, LabEvent } from '../wire';
import type { Bin } from './bin';
import { belongs, EVERYTHING_OF_MINE, type IFilters, listPath, mayBring } from './filters';
import type { ITableView } from './kept';
import { compare, type IOrder, NEWEST_FIRST } from './order';

/** Jobs asked for at once. */
export const PAGE = 200;
/** The next page is fetched when so many rows or fewer are left below the window. */
const AHEAD = 400;
/** Jobs that came in by themselves: beyond so many the table begins anew as soon as its top is in view. */
export const MOST_NEW = 500;
/** Changed jobs are asked for at most this often (ms)... */
const EVERY = 150;
/** ...one by one; where they are more than this, with the top of the list... */
const FEW = 8;
/** ...and so many at once. */
const AT_ONCE = 40;

/** The table of jobs: the pages that were scrolled to, kept up to date by the lab's events. */
export class QueueModel implements IDisposable {
  constructor(
    private readonly _manager: ILabManager,
    private readonly _bin: Bin,
    view: ITableView = { filters: EVERYTHING_OF_MINE, order: NEWEST_FIRST }
  ) {
    this._view = view;
    this._leave = _manager.follow({
      heard: event => this._heard(event),
      missed: () => void this.reload()
    });
    this._bin.changed.connect(this._onBin, this);
  }

  /** Emitted after anything below changed. */
  get changed(): ISignal<QueueModel, void> {
    return this._changed;
  }

  /** Emitted after somebody asked for other jobs, or for another order. */
  get viewChanged(): ISignal<QueueModel, ITableView> {
    return this._viewChanged;
  }

  get filters(): IFilters {
    return this._view.filters;
  }

  get order(): IOrder {
    return this._view.order;
  }

  /** How many jobs are here. */
  get length(): number {
    return this._order.length;
  }

  /** How many there are in all, where the lab keeps count. */
  get total(): number | null {
    return this._total === null ? null : Math.max(this._total, this.length);
  }

  /** Whether everything that was asked for is here. */
  get complete(): boolean {
    return this._next === null && !this._loading;
  }

  get loading(): boolean {
    return this._loading;
  }

  /** Why the last page could not be had, in the words of whoever refused. */
  get problem(): string | null {
    return this._problem;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** The job in row `index`. */
  at(index: number): JobModel | undefined {
    const id = this._order[index];
    return id === undefined ? undefined : this._jobs.get(id);
  }

  indexOf(id: string): number {
    return this._jobs.has(id) ? this._order.indexOf(id) : -1;
  }

  /** Show other jobs. */
  async filter(changes: Partial<IFilters>): Promise<void> {
    this._order = [];
    this._jobs.clear();
    this._total = null;
    await this._show({ ...this._view, filters: { ...this.filters, ...changes } });
  }

  /** Show the jobs in another order. */
  async sort(order: IOrder): Promise<void> {
    await this._show({ ...this._view, order });
  }

  /** Ask for everything anew, from the top on; what is here stays until the answer comes. */
  async reload(): Promise<void> {
    this._turn += 1;
    this._next = null;
    await this._load(null);
  }

  /** The rows that are in view: they are kept exact, and what lies below is fetched in time. */
  look(first: number, last: number): void {
    this._window = [first, last];
    if (this._grown >= MOST_NEW && last < PAGE) {
      this._grown = 0;
      void this.reload();
    } else if (this._next !== null && !this._loading && this._problem === null && this._nearEnd()) {
      void this._load(this._next);
    }
  }

  /** Go on after a page that could not be had. */
  async retry(): Promise<void> {
    await (this._next === null ? this.reload() : this._load(this._next));
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._leave();
    this._refresher.dispose();
    this._movedOn.dispose();
    this._bin.changed.disconnect(this._onBin, this);
    Signal.clearData(this);
  }

  private async _show(view: ITableView): Promise<void> {
    this._view = view;
    this._viewChanged.emit(view);
    await this.reload();
  }

  private async _load(after: string | null): Promise<void> {
    const turn = this._turn;
    this._loading = true;
    this._problem = null;
    this._changed.emit();
    try {
      this._me = (this._manager.state.me ?? (await this._manager.identify()))?.user.name;
      const path = listPath(this.filters, this.order, PAGE, after);
      const page = await this._ask<JobPage>(path);
      if (turn === this._turn) {
        this._take(page, after === null);
      }
    } catch (error) {
      if (turn === this._turn) {
        this._problem = messageOf(error);
      }
    } finally {
      if (turn === this._turn) {
        this._loading = false;
        this._changed.emit();
        this.look(...this._window); // a page may be short, even empty
      }
    }
  }

  private _take(page: JobPage, first: boolean): void {
    const known = first ? new Map(this._jobs) : this._jobs;
    if (first) {
      this._jobs.clear();
      this._order = [];
      this._total = page.total;
      this._grown = 0;
    }
    for (const job of page.jobs) {
      const now = this._withSaid(newer(known.get(job.id), job));
      if (now === null || !belongs(now, this.filters, this._me)) {
        continue;
      }
      if (!this._jobs.has(job.id) && !this._bin.has(job.id)) {
        this._order.push(job.id);
      }
      this._jobs.set(job.id, now);
    }
    this._next = page.next;
  }

  private _nearEnd(): boolean {
    return this._window[1] + AHEAD >= this._order.length;
  }

  private _heard(event: LabEvent): void {
    if (!isOfJob(event)) {
      return;
    }
    if (this._asking > 0) {
      this._said.set(event.job_id, event);
    }
    const known = this._jobs.get(event.job_id);
    if (event.kind === 'job.deleted') {
      this._drop(event.job_id);
    } else if (known) {
      this._update(known, event);
    } else if (this._me && mayBring(event, this.filters, this._me)) {
      this._admit(event);
    }
    if (event.kind === 'job.changed') {
      this._movedOn.want();
    }
  }

  private _update(known: JobModel, event: JobEvent): void {
    this._put(withEvent(known, event));
    if (event.kind !== 'job.progress' && this._inView().includes(known.id)) {
      this._refetch(known.id);
    }
  }

  /** Let a job in that the event only names; where very many have come that nobody looked at, it is just counted. */
  private _admit(event: JobEvent): void {
    if (this._grown < MOST_NEW) {
      this._refetch(event.job_id);
    } else if (event.kind === 'job.submitted' && this._total !== null) {
      this._total += 1;
      this._changed.emit();
    }
  }

  /** A question to the lab; what events say until it is answered may be newer than the answer. */
  private async _ask<T>(path: string): Promise<T> {
    if (this._asking === 0) {
      this._said.clear();
    }
    this._asking += 1;
    return this._manager.request<T>(path).finally(() => {
      this._asking -= 1;
    });
  }

  /** An answered job with what an event has said since it was asked for; null where it was deleted. */
  private _withSaid(job: JobModel): JobModel | null {
    const event = this._said.get(job.id);
    if (event === undefined || event.kind === 'job.deleted') {
      return event === undefined ? job : null;
    }
    const now = withEvent(job, event);
    if (now !== job) {
      this._refetch(job.id);
    }
    return now;
  }

  /** A job as it is now: in its row, in a new row, or out of the list. */
  private _put(job: JobModel): void {
    if (!belongs(job, this.filters, this._me) || this._bin.has(job.id)) {
      this._drop(job.id);
      return;
    }
    const before = this._jobs.get(job.id);
    const now = newer(before, job);
    if (!before || compare(before, now, this.order) !== 0) {
      this._insert(now, before !== undefined);
    } else {
      this._jobs.set(job.id, now);
    }
    this._changed.emit();
  }

  private _putAnswered(job: JobModel): void {
    const now = this._withSaid(job);
    if (now !== null) {
      this._put(now);
    }
  }

  /** Put a job where it belongs, taken from where it was. */
  private _insert(job: JobModel, here: boolean): void {
    if (here) {
      this._order.splice(this.indexOf(job.id), 1);
      this._jobs.delete(job.id);
    }
    const index = this._place(job);
    if (!here && this._total !== null) {
      this._total += 1;
    }
    if (index < this._order.length || this._next === null) {
      this._order.splice(index, 0, job.id);
      this._jobs.set(job.id, job);
      this._grown += here ? 0 : 1;
    } // else it is on a page that is not here yet
  }

  /** Where a job goes among those that are here. */
  private _place(job: JobModel): number {
    let [low, high] = [0, this._order.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const there = this.at(middle);
      if (there && compare(there, job, this.order) < 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  private _drop(id: string): void {
    const index = this.indexOf(id);
    if (index >= 0) {
      this._order.splice(index, 1);
      this._jobs.delete(id);
      this._total = this._total === null ? null : this._total - 1;
      this._changed.emit();
    }
  }

  private _inView(): readonly string[] {
    const [first, last] = this._window;
    return this._order.slice(first, last + 1);
  }

  private async _lookAgain(): Promise<void> {
    const waiting = this._inView().filter(id => movesOn(this._jobs.get(id)?.phase));
    waiting.forEach(id => void this._refetch(id));
  }

  /** Look at a job again soon. */
  private _refetch(id: string): void {
    this._stale.add(id);
    this._refresher.want();
  }

  private async _fetchStale(): Promise<void> {
    let ids = [...this._stale];
    this._stale.clear();
    if (ids.length > FEW) {
      const found = await this._fetchTop(ids.length);
      ids = ids.filter(id => !found.has(id));
    }
    await Promise.all(ids.slice(0, AT_ONCE).map(id => this._fetch(id)));
    ids.slice(AT_ONCE).forEach(id => void this._refetch(id));
    this.look(...this._window);
  }

  /** Ask for the top of the list, down to what is in view and `more`; whom it has. */
  private async _fetchTop(more: number): Promise<ReadonlySet<string>> {
    const turn = this._turn;
    const limit = Math.min(PAGE, this._window[1] + 1 + more);
    try {
      const path = listPath(this.filters, this.order, limit, null);
      const { jobs, total } = await this._ask<JobPage>(path);
      if (turn === this._turn && !this._isDisposed) {
        jobs.forEach(job => void this._putAnswered(job));
        this._total = total;
      }
      return new Set(jobs.map(({ id }) => id));
    } catch {
      return new Set(); // each is asked for by itself
    }
  }

  private async _fetch(id: string): Promise<void> {
    try {
      const job = await this._ask<JobModel>(at('jobs', id));
      if (!this._isDisposed) {
        this._putAnswered(job);
      }
    } catch {
      // Gone, or not to be had now: an event says the one, `missed` the other.
    }
  }

  private _onBin(_: Bin, id: string): void {
    if (this._bin.has(id)) {
      this._drop(id);
    } else {
      this._refetch(id);
    }
  }

  private readonly _changed = new Signal<QueueModel, void>(this);
  private readonly _viewChanged = new Signal<QueueModel, ITableView>(this);
  private readonly _leave: () => void;
  private readonly _movedOn = new Refresher(() => this._lookAgain(), MOVED_ON);
  private readonly _refresher = new Refresher(() => this._fetchStale(), EVERY);
  private readonly _jobs = new Map<string, JobModel>();
  private readonly _stale = new Set<string>();
  /** How many questions are under way. */
  private _asking = 0;
  /** The last event of each job, heard since nothing was asked. */
  private readonly _said = new Map<string, JobEvent>();
  /** How many came in since the first page was asked for. */
  private _grown = 0;
  private _isDisposed = false;
  private _loading = false;
  private _me: string | undefined;
  private _next: string | null = null;
  private _order: string[] = [];
  private _problem: string | null = null;
  private _total: number | null = null;
  private _turn = 0;
  private _view: ITableView;
  private _window: [number, number] = [0, 0];
}
