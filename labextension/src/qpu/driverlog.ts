import { messageOf } from '../request';
import { StateModel } from '../statemodel';
import type { ILabManager } from '../tokens';
import type { DriverLog, DriverLogLine, LabEvent } from '../wire';
import { formatOf } from '../words';

/** As many lines as the lab keeps. */
const KEPT = 500;
/** What somebody must be allowed to do to read what drivers say: it may name anybody's jobs. */
const PERMISSION = 'qpus:operate';

/** Whether whoever uses this page may read the logs of drivers. */
export function mayReadLogs({ state }: ILabManager): boolean {
  return state.me?.permissions.includes(PERMISSION) ?? false;
}

export interface IDriverLogState {
  /** Oldest first. */
  readonly lines: readonly DriverLogLine[];
  readonly loaded: boolean;
  readonly problem: string | null;
}

/** The last lines of a driver's own log, and what it says from then on: asked for when the lab says that it spoke. */
export class DriverLogModel extends StateModel<IDriverLogState> {
  constructor(
    private readonly _manager: ILabManager,
    readonly qpu: string,
    readonly driver: string
  ) {
    super({ lines: [], loaded: false, problem: null });
    const again = () => void this.refresh();
    this._leave = _manager.follow({
      heard: event => this._isNews(event) && again(),
      missed: again,
      back: again
    });
  }

  override dispose(): void {
    this._leave();
    super.dispose();
  }

  /** Ask for what is new; of many wishes while an answer is under way one is left. */
  async refresh(): Promise<void> {
    this._wanted = true;
    if (this._busy) {
      return;
    }
    this._busy = true;
    while (this._wanted && !this.isDisposed) {
      this._wanted = false;
      await this._ask();
    }
    this._busy = false;
  }

  private async _ask(): Promise<void> {
    const place = [this.qpu, this.driver].map(encodeURIComponent).join('/drivers/');
    const after = this.state.lines.at(-1)?.seq ?? 0;
    try {
      const { lines } = await this._manager.request<DriverLog>(`qpus/${place}/log?after=${after}`);
      const all = [...this.state.lines, ...lines].slice(-KEPT);
      this._replace({ lines: all, loaded: true, problem: null });
    } catch (error) {
      this._replace({ problem: messageOf(error) });
    }
  }

  private _isNews(event: LabEvent): boolean {
    const spoken = event.kind === 'driver.logged';
    return spoken && event.qpu === this.qpu && event.data.driver === this.driver;
  }

  private _busy = false;
  private _wanted = false;
  private readonly _leave: () => void;
}

/** When a line was written, in the reader's time zone and always as wide. */
export function stamp(at: string): string {
  return formatOf({ dateStyle: 'short', timeStyle: 'medium' }, 'sv-SE').format(new Date(at));
}

/** The lines as a file has them. */
export function plainText(lines: readonly DriverLogLine[]): string {
  return lines
    .flatMap(line => [
      ...(line.dropped ? [`(${line.dropped} lines left out)`] : []),
      `${stamp(line.at)} ${line.level.toUpperCase()} ${line.logger}: ${line.message}`
    ])
    .join('\n');
}
