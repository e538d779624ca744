import type { TranslationBundle } from '@jupyterlab/translation';
import { Poll } from '@lumino/polling';
import { type ISignal, Signal } from '@lumino/signaling';

import type { LabRequest } from '../request';
import { percent, quantity } from '../units';
import type { ChannelList, ChannelModel } from '../wire';

/** Calibration changes seldom, and a glance needs no more (ms). */
const EVERY = 30_000;
/** A glance needs no more digits. */
const DIGITS = 3;

/** The newest readings of each QPU, for as long as somebody looks. */
export class Figures {
  constructor(
    private readonly _request: LabRequest,
    private readonly _qpus: () => readonly string[],
    standby: Poll.Standby | (() => boolean)
  ) {
    this._poll = new Poll({
      name: 'qpi-jupyter:figures',
      factory: () => this._fetch(),
      frequency: { interval: EVERY, backoff: true, max: 4 * EVERY },
      standby
    });
  }

  get changed(): ISignal<Figures, void> {
    return this._changed;
  }

  of(qpu: string): readonly ChannelModel[] {
    return this._channels.get(qpu) ?? [];
  }

  /** Ask again now, if a QPU is new. */
  want(): void {
    if (this._qpus().some(name => !this._channels.has(name))) {
      void this._poll.refresh();
    }
  }

  dispose(): void {
    this._poll.dispose();
    Signal.clearData(this);
  }

  private async _fetch(): Promise<void> {
    const names = this._qpus();
    const path = (name: string) => `qpus/${encodeURIComponent(name)}/channels`;
    const lists = await Promise.all(names.map(name => this._request<ChannelList>(path(name))));
    this._channels = new Map(names.map((name, i) => [name, lists[i]?.channels ?? []]));
    this._changed.emit();
  }

  private _channels = new Map<string, readonly ChannelModel[]>();
  private readonly _changed = new Signal<Figures, void>(this);
  private readonly _poll: Poll<void>;
}

export interface IFigure {
  readonly label: string;
  readonly value: string;
}

/** What to know of a QPU at a glance; nothing for what it does not tell. */
export function headline(
  channels: readonly ChannelModel[],
  trans: TranslationBundle
): readonly IFigure[] {
  const found: IFigure[] = [];
  const add = (label: string, value: number | null, text: (value: number) => string) => {
    if (value !== null) {
      found.push({ label, value: text(value) });
    }
  };
  const seconds = (value: number) => quantity(value, 's', DIGITS);
  const share = (value: number) => percent(value, DIGITS);
  add('T1', median(channels, /^q\d+\/t1$/), seconds);
  add('T2', median(channels, /^q\d+\/t2$/), seconds);
  add(trans.__('Readout error'), median(channels, /^q\d+\/readout_error$/), share);
  add(trans.__('Two-qubit error'), median(channels, /^\w+\/\d+-\d+\/error$/), share);
  add(trans.__('Fridge'), coldest(channels), value => quantity(value, 'K', DIGITS));
  return found;
}

/** Of a fridge's stages, the one that the chip is on. */
function coldest(channels: readonly ChannelModel[]): number | null {
  const temperatures = channels.flatMap(({ unit, value }) =>
    unit === 'K' && value !== null ? [value] : []
  );
  return temperatures.length > 0 ? Math.min(...temperatures) : null;
}

function median(channels: readonly ChannelModel[], name: RegExp): number | null {
  const values = channels
    .flatMap(channel => (name.test(channel.name) && channel.value !== null ? [channel.value] : []))
    .sort((a, b) => a - b);
  const middle = values.length / 2;
  const [low, high] = [values[Math.ceil(middle) - 1], values[Math.floor(middle)]];
  return low === undefined || high === undefined ? null : (low + high) / 2;
}
