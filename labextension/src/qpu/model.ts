import { Poll } from '@lumino/polling';
import { Refresher } from '../refresher';
import { messageOf } from '../request';
import { StateModel } from '../statemodel';
import type { ILabManager } from '../tokens';
import type {
  BookingList,
  BookingModel,
  ChannelList,
  ChannelModel,
  LabEvent,
  QpuDetail,
  QpuDriver,
  QpuDriverList,
  Series
} from '../wire';
import { historyOf, type IQuantity, inPercent } from './histories';
import { Telemetry } from './telemetry';

const QUEUE_CHANNELS = ['lab/queued', 'lab/running', 'lab/utilisation'] as const;
const FIRST_CHOICE = ['driver/cpu', 'driver/memory'];
/** Channels that every QPU has; all others are of its instruments. */
const EVERYBODYS = /^(driver|lab)\//;
const REASK = 5_000;
/** While events come the lab is asked at most this often (ms). */
const EVERY = 500;
const YEAR = 365 * 86_400_000;

/** How a calibrated figure changed over the last year, or one quantity of everything that has it. */
export interface IHistory {
  readonly what: string | IQuantity;
  /** When it was asked for (the lab's ms since 1970). */
  readonly now: number;
  readonly label: string;
  /** Null until the lab has answered. */
  readonly series: readonly Series[] | null;
}

/** Everything the tab shows of its QPU, apart from the charts. Never changed, only replaced. */
export interface IQpuTabState {
  readonly detail: QpuDetail | null;
  /** Who has it now, if it is booked. */
  readonly booking: BookingModel | null;
  readonly drivers: readonly QpuDriver[];
  readonly channels: readonly ChannelModel[];
  readonly history: IHistory | null;
  /** Why what is shown may be old, in the words of whoever refused. */
  readonly problem: string | null;
}

/** One QPU, followed while its tab is in view. */
export class QpuTabModel extends StateModel<IQpuTabState> {
  constructor(
    private readonly _manager: ILabManager,
    readonly qpu: string,
    standby: Poll.Standby = 'when-hidden',
    chosen: readonly string[] = []
  ) {
    super({
      detail: null,
      booking: null,
      drivers: [],
      channels: [],
      history: null,
      problem: null
    });
    const { request } = _manager;
    const now = () => _manager.now();
    this.queue = new Telemetry({ request, qpu, now, chosen: QUEUE_CHANNELS, standby });
    this.readings = new Telemetry({ request, qpu, now, chosen, standby });
    this._chosen = chosen.length > 0;
    this._poll = new Poll({
      name: `qpi-jupyter:qpu-${qpu}`,
      auto: false,
      factory: () => this.refresh(),
      frequency: { interval: REASK, backoff: false },
      standby
    });
    this._leave = _manager.follow({
      heard: event => event.qpu === qpu && this._heard(event),
      missed: () => this._again()
    });
  }

  readonly queue: Telemetry;
  readonly readings: Telemetry;

  override dispose(): void {
    this._leave();
    this._refresher.dispose();
    this._poll.dispose();
    this.queue.dispose();
    this.readings.dispose();
    super.dispose();
  }

  /** Whether the tab is in view; while it is not, nothing is asked. */
  setVisible(visible: boolean): void {
    if (this.isDisposed) {
      return;
    }
    this._visible = visible;
    this.queue.setVisible(visible);
    this.readings.setVisible(visible);
    void (visible ? this._poll.start() : this._poll.stop());
  }

  async refresh(): Promise<void> {
    const now = this._manager.now();
    const soon = new URLSearchParams({
      qpu: this.qpu,
      status: 'booked',
      start: new Date(now).toISOString(),
      end: new Date(now + 1000).toISOString()
    });
    try {
      const [detail, drivers, channels, bookings] = await Promise.all([
        this._ask<QpuDetail>(''),
        this._ask<QpuDriverList>('/drivers'),
        this._ask<ChannelList>('/channels'),
        this._manager.request<BookingList>(`bookings?${soon}`)
      ]);
      this._replace({
        detail,
        drivers: drivers.drivers,
        channels: channels.channels,
        booking: bookings.bookings[0] ?? null,
        problem: null
      });
      this._chooseFirst(channels.channels);
    } catch (error) {
      this._replace({ problem: messageOf(error) });
    }
  }

  /** Show how a channel, or a quantity of all that have it, changed; null puts the history away. */
  async showHistory(what: string | IQuantity | null, label = ''): Promise<void> {
    const now = this._manager.now();
    this._replace({ history: what === null ? null : { what, label, now, series: null } });
    if (what === null) {
      return;
    }
    try {
      const series = await this._history(what, now);
      if (this.state.history?.what === what) {
        this._replace({ history: { what, label, now, series } });
      }
    } catch (error) {
      if (this.state.history?.what === what) {
        this._replace({ history: null, problem: messageOf(error) });
      }
    }
  }

  private async _history(what: string | IQuantity, now: number): Promise<readonly Series[]> {
    if (typeof what !== 'string') {
      return historyOf(this._manager.request, this.qpu, what);
    }
    const start = new Date(now - YEAR).toISOString();
    const query = new URLSearchParams({ channel: what, start, points: '1000' });
    return [inPercent(what, await this._ask<Series>(`/readings?${query}`))];
  }

  private _heard(event: LabEvent): void {
    this._again();
    const { history } = this.state;
    if (this._visible && history !== null && event.kind === 'qpu.calibrated') {
      void this.showHistory(history.what, history.label);
    }
  }

  private _ask<T>(path: string): Promise<T> {
    return this._manager.request<T>(`qpus/${encodeURIComponent(this.qpu)}${path}`);
  }

  private _chooseFirst(channels: readonly ChannelModel[]): void {
    if (this._chosen) {
      return;
    }
    const measured = channels.filter(one => !one.calibration && one.value !== null);
    const own = measured.find(({ name }) => !EVERYBODYS.test(name));
    const likely = own
      ? [own.name]
      : FIRST_CHOICE.filter(known => measured.some(({ name }) => name === known));
    if (likely.length) {
      this._chosen = true;
      this.readings.choose(likely);
    }
  }

  private _again(): void {
    if (this._visible) {
      this._refresher.want();
    }
  }

  private _chosen: boolean;
  private _visible = false;
  private readonly _poll: Poll<void>;
  private readonly _leave: () => void;
  private readonly _refresher = new Refresher(() => this.refresh(), EVERY);
}
