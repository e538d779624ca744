import type { CommandRegistry } from '@lumino/commands';
import { type ISignal, Signal } from '@lumino/signaling';

import { LabError, type LabRequest, messageOf } from './request';
import { at, send } from './send';
import type { LabConnections, LabIn } from './wire';

/** How often a code that waits is asked about (ms). */
const EVERY = 2_000;
const UNTRUSTED = 'untrusted_certificate';

/** A certificate authority that the person has to confirm: its fingerprint, and that of the one before. */
export interface IDistrust {
  readonly wanted: LabIn;
  readonly fingerprint: string;
  readonly before: string | null;
}

/** The labs that this Jupyter server is connected to; what is shown changes with the page. */
export class Labs {
  /**
   * @param _request asks this Jupyter server, below `qpi/`.
   * @param _shown is called when another lab is shown.
   */
  constructor(
    private readonly _request: LabRequest,
    private readonly _shown: () => void
  ) {}

  /** Null: not asked yet, or this server shows its own lab alone. */
  get state(): LabConnections | null {
    return this._state;
  }

  get changed(): ISignal<Labs, void> {
    return this._changed;
  }

  get busy(): boolean {
    return this._busy;
  }

  get problem(): string {
    return this._problem;
  }

  get distrust(): IDistrust | null {
    return this._distrust;
  }

  /** Ask for all of it; where this server has no such thing, there is none. */
  async load(): Promise<void> {
    await this._do(() => this._request<LabConnections>('labs'));
  }

  async connect(wanted: LabIn): Promise<void> {
    await this._do(() => send<LabConnections>(this._request, 'POST', 'labs', wanted), wanted);
  }

  async choose(name: string | null): Promise<void> {
    await this._do(() => send<LabConnections>(this._request, 'PUT', 'labs/current', { name }));
  }

  async disconnect(name: string): Promise<void> {
    await this._do(() => send<LabConnections>(this._request, 'DELETE', at('labs', name)));
  }

  /** Wait for the code no longer. */
  async cancel(): Promise<void> {
    await this._do(() => send<LabConnections>(this._request, 'DELETE', 'labs/waiting'));
  }

  dispose(): void {
    clearTimeout(this._timer);
    Signal.clearData(this);
  }

  private async _do(ask: () => Promise<LabConnections>, wanted?: LabIn): Promise<void> {
    clearTimeout(this._timer);
    this._busy = true;
    this._problem = '';
    this._distrust = null;
    this._changed.emit();
    try {
      this._take(await ask());
    } catch (error) {
      this._refused(error, wanted);
    } finally {
      this._busy = false;
      this._changed.emit();
    }
  }

  private _take(state: LabConnections): void {
    const before = this._state;
    this._state = state;
    this._problem = state.problem;
    if (before !== null && before.current !== state.current) {
      this._shown();
    }
    if (state.waiting) {
      this._timer = setTimeout(() => void this._poll(), EVERY);
    }
  }

  private async _poll(): Promise<void> {
    try {
      this._take(await this._request<LabConnections>('labs'));
    } catch (error) {
      this._problem = messageOf(error);
    }
    this._changed.emit();
  }

  private _refused(error: unknown, wanted: LabIn | undefined): void {
    const { code = '', data = {} } = error instanceof LabError ? error : {};
    if (wanted && code === UNTRUSTED && typeof data.fingerprint === 'string') {
      const before = typeof data.before === 'string' ? data.before : null;
      this._distrust = { wanted, fingerprint: data.fingerprint, before };
    } else if (code !== 'no_labs') {
      this._problem = messageOf(error);
    }
  }

  private _state: LabConnections | null = null;
  private _busy = false;
  private _problem = '';
  private _distrust: IDistrust | null = null;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private readonly _changed = new Signal<Labs, void>(this);
}

/** JupyterLab's own command. */
const SAVE = 'docmanager:save-all';

/** Start the page anew because another lab is shown, with what is in its notebooks saved. */
export async function startAnew(commands: CommandRegistry): Promise<void> {
  if (commands.hasCommand(SAVE)) {
    await commands.execute(SAVE);
  }
  window.location.reload();
}

/** How one gets from this page to the lab at an address. */
export type Way =
  /** It is the lab that is shown, or this server has no other one. */
  | { readonly kind: 'none' }
  /** This server knows it by that name. */
  | { readonly kind: 'show'; readonly name: string }
  /** It is one of those that this server has shown: nobody knows which. */
  | { readonly kind: 'switch' }
  | { readonly kind: 'connect'; readonly url: string };

/** The way to the lab at `address`, as a notebook has it, from a server that is connected to `labs`. */
export function wayTo(address: string, labs: LabConnections | null): Way {
  const url = bare(address);
  if (labs === null || url === '') {
    return { kind: 'none' };
  }
  const known = labs.labs.find(lab => bare(lab.url) === url);
  if (known) {
    return known.name === labs.current ? { kind: 'none' } : { kind: 'show', name: known.name };
  }
  if (url === bare(labs.here)) {
    return { kind: labs.labs.length > 0 ? 'switch' : 'none' };
  }
  return { kind: 'connect', url };
}

function bare(address: string): string {
  return address.trim().replace(/\/+$/, '');
}
