import { Poll } from '@lumino/polling';

import { type LabRequest, messageOf } from '../request';
import { StateModel } from '../statemodel';
import type { Series } from '../wire';

export const RANGES = {
  '15m': 900,
  '1h': 3600,
  '6h': 21_600,
  '24h': 86_400,
  '7d': 604_800
} as const;
export type Range = keyof typeof RANGES;

/** Milliseconds since 1970, from and to. */
export type Span = readonly [number, number];

export interface ITelemetryState {
  readonly chosen: readonly string[];
  readonly range: Range;
  /** A part of the past that is looked at more closely; null follows the present. */
  readonly zoom: Span | null;
  /** What `series` covers. */
  readonly span: Span;
  readonly series: readonly Series[];
  readonly problem: string | null;
}

const POINTS = 600;
const FASTEST = 2_000;
const SLOWEST = 30_000;
/** Nothing shorter is looked at (ms). */
const SHORTEST = 10_000;

/** Some channels of a QPU over time, asked again while somebody looks and the range ends now. */
export class Telemetry extends StateModel<ITelemetryState> {
  constructor(options: Telemetry.IOptions) {
    const now = options.now();
    super({
      chosen: options.chosen ?? [],
      range: '15m',
      zoom: null,
      span: [now - 1000 * RANGES['15m'], now],
      series: [],
      problem: null
    });
    this._now = options.now;
    this._request = options.request;
    this._qpu = options.qpu;
    this._poll = new Poll({
      name: `qpi-jupyter:readings-${options.qpu}`,
      auto: false,
      factory: async () => {
        await this.refresh();
        if (this.state.problem !== null) {
          throw new Error(this.state.problem); // so that the poll backs off
        }
      },
      frequency: { interval: FASTEST, backoff: true, max: SLOWEST },
      standby: options.standby ?? 'when-hidden'
    });
  }

  override dispose(): void {
    this._poll.dispose();
    super.dispose();
  }

  /** Whether somebody looks. */
  setVisible(visible: boolean): void {
    this._visible = visible;
    this._follow();
  }

  choose(chosen: readonly string[]): void {
    const kept = this.state.series.filter(series => chosen.includes(series.name));
    this._replace({ chosen, series: kept });
    this._follow();
  }

  setRange(range: Range): void {
    this._replace({ range, zoom: null });
    this._follow();
  }

  /** Look at a part of what is shown, or at the whole range again. */
  zoom(span: Span | null): void {
    this._replace({ zoom: span });
    this._follow();
  }

  /** As many times as long, up to the same moment. */
  zoomBy(factor: number): void {
    const [start, end] = this.state.zoom ?? this.state.span;
    this.zoom([end - Math.max((end - start) * factor, SHORTEST), end]);
  }

  async refresh(): Promise<void> {
    const asked = ++this._asked;
    const { chosen, zoom, range } = this.state;
    const now = this._now();
    const span: Span = zoom ?? [now - 1000 * RANGES[range], now];
    try {
      const series = await Promise.all(chosen.map(channel => this._series(channel, span)));
      if (asked === this._asked) {
        this._replace({ series, span, problem: null });
      }
    } catch (error) {
      if (asked === this._asked) {
        this._replace({ problem: messageOf(error) });
      }
    }
  }

  private _series(channel: string, [start, end]: Span): Promise<Series> {
    const query = new URLSearchParams({
      channel,
      start: new Date(start).toISOString(),
      end: new Date(end).toISOString(),
      points: String(POINTS)
    });
    return this._request<Series>(`qpus/${encodeURIComponent(this._qpu)}/readings?${query}`);
  }

  /** Ask now, and again as often as it can show; never while nobody looks or nothing new can come. */
  private _follow(): void {
    if (this._poll.isDisposed) {
      return;
    }
    const { zoom, chosen, range } = this.state;
    if (!this._visible || zoom !== null || chosen.length === 0) {
      void this._poll.stop();
      if (this._visible) {
        void this.refresh();
      }
      return;
    }
    const interval = Math.min(SLOWEST, Math.max(FASTEST, (1000 * RANGES[range]) / 1800));
    this._poll.frequency = { interval, backoff: true, max: SLOWEST };
    const { phase } = this._poll.state;
    if (phase === 'constructed' || phase === 'stopped') {
      void this._poll.start(); // which asks at once
    } else {
      void this.refresh(); // the poll would first wait for the answer under way, which is none to this
    }
  }

  private _asked = 0;
  private _visible = false;
  private readonly _now: () => number;
  private readonly _poll: Poll<void>;
  private readonly _qpu: string;
  private readonly _request: LabRequest;
}

export namespace Telemetry {
  export interface IOptions {
    readonly request: LabRequest;
    /** The lab's time. */
    readonly now: () => number;
    readonly qpu: string;
    readonly chosen?: readonly string[];
    /** When not to ask; by default while the page is hidden. */
    readonly standby?: Poll.Standby;
  }
}

/** Times in seconds and values of a series, with a null wherever readings failed to come. */
export function withGaps(series: Series): [number[], (number | null)[]] {
  const times: number[] = [];
  const values: (number | null)[] = [];
  const at = series.points.map(point => Date.parse(point.at) / 1000);
  const steps = at.slice(1).map((time, n) => time - (at[n] ?? time));
  const usual = [...steps].sort((a, b) => a - b)[steps.length >> 1] ?? 0;
  const most = Math.max(5 * usual, 3 * series.width_s);
  series.points.forEach((point, n) => {
    const time = at[n] ?? 0;
    const before = at[n - 1];
    if (before !== undefined && time - before > most) {
      times.push(before + usual);
      values.push(null);
    }
    times.push(time);
    values.push(point.mean);
  });
  return [times, values];
}

/** The units of some channels in the order in which they come: the first has its axis left, the second right. */
export function unitsOf(channels: readonly { readonly unit: string }[]): string[] {
  return [...new Set(channels.map(channel => channel.unit))];
}
