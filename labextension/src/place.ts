import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Panel } from '@lumino/widgets';

/** What an output shows. */
export interface IShown {
  /** Show what the output holds now. */
  show(model: IRenderMime.IMimeModel): void | Promise<void>;
}

/** The place of an output in a notebook; what it shows is loaded with the first one. */
export class Place extends Panel implements IRenderMime.IRenderer {
  constructor(private readonly _make: (place: Place) => Promise<IShown>) {
    super();
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this._shown ??= this._make(this);
    await (await this._shown).show(model);
  }

  private _shown: Promise<IShown> | undefined;
}
