import type { NotebookPanel } from '@jupyterlab/notebook';
import type { IOutputModel } from '@jupyterlab/rendermime';

import { hasEnded } from '../jobs';
import { Refresher } from '../refresher';
import { JOB_OUTPUT, type JobOutput } from '../wire';
import type { Follower, IFollowing } from './follower';
import { plainOf } from './plain';
import { readOutput } from './schema';
import { shownOf } from './shown';
import type { IPage } from './view';

/** A notebook is looked through at most this often (ms). */
const EVERY = 1_000;

/** Brings what a notebook has of its jobs up to date once they have ended, in sight or not, so that saving keeps it. */
export class Keeper {
  constructor(
    private readonly _panel: NotebookPanel,
    private readonly _follower: Follower,
    private readonly _page: IPage
  ) {
    void _panel.context.ready.then(() => {
      _panel.context.model.contentChanged.connect(this._onChanged, this);
      this._onChanged();
    });
    _panel.disposed.connect(() => this._end());
  }

  private _onChanged(): void {
    this._refresher.want();
  }

  private async _look(): Promise<void> {
    for (const cell of this._panel.model?.cells ?? []) {
      const { outputs } = cell as { outputs?: IOutputs };
      for (let n = 0; n < (outputs?.length ?? 0); n++) {
        this._lookAt(outputs?.get(n) as IOutputModel);
      }
    }
  }

  /** An output has one model for each time that it was written: each is looked at once, for that copies it. */
  private _lookAt(model: IOutputModel): void {
    if (this._seen.has(model)) {
      return;
    }
    this._seen.add(model);
    const output = readOutput(model.data[JOB_OUTPUT]);
    const { status } = output?.job ?? {};
    if (!output || (hasEnded(output.job) && !(status === 'completed' && !output.drawings.length))) {
      return;
    }
    const following = this._follower.follow(output.job.id);
    following.wanted = true;
    this._followed.add(following);
    const onChanged = () => {
      if (this._settled(model, output, following)) {
        this._followed.delete(following);
        following.dispose();
      }
    };
    following.changed.connect(onChanged);
    onChanged();
  }

  /** Whether nothing is left to do for an output: what its job came to is in it now, or cannot be had. */
  private _settled(model: IOutputModel, output: JobOutput, { live }: IFollowing): boolean {
    if (live.gone !== null) {
      return true;
    }
    if (!live.job || !hasEnded(live.job) || (live.job.status === 'completed' && !live.drawn)) {
      return false;
    }
    if (this._mayWrite) {
      const now = shownOf(output, live, this._page.manager.now());
      const plain = plainOf(now, this._page.trans);
      model.setData({ data: { ...model.data, [JOB_OUTPUT]: now as never, ...plain } });
    }
    return true;
  }

  /** Not into what cannot be saved. Where several people have it open, one page writes: two would write it twice. */
  private get _mayWrite(): boolean {
    const { context, model } = this._panel;
    if (!model || model.readOnly || context.contentsModel?.writable === false) {
      return false;
    }
    const { awareness } = model.sharedModel as { awareness?: IAwareness };
    return (
      !model.collaborative ||
      !awareness ||
      Math.min(...awareness.getStates().keys()) === awareness.clientID
    );
  }

  private _end(): void {
    this._refresher.dispose();
    for (const following of this._followed) {
      following.dispose();
    }
    this._followed.clear();
  }

  private readonly _followed = new Set<IFollowing>();
  private readonly _refresher = new Refresher(() => this._look(), EVERY);
  private readonly _seen = new WeakSet<IOutputModel>();
}

/** What a code cell has. */
interface IOutputs {
  readonly length: number;
  get(n: number): IOutputModel;
}

/** The part of Yjs's awareness that says who has the notebook open. */
interface IAwareness {
  readonly clientID: number;
  getStates(): ReadonlyMap<number, unknown>;
}
