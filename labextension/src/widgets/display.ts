import '../../style/widgets.css';

import type { ISessionContext } from '@jupyterlab/apputils';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { Panel } from '@lumino/widgets';

/** Which widget an output shows: in our form, by which we are asked, and in the one that other front ends know. */
const WIDGET = 'application/vnd.qpi.widget+json';
const VIEW = 'application/vnd.jupyter.widget-view+json';
const GONE: readonly string[] = ['restarting', 'autorestarting', 'terminating', 'dead'];

/** What an output shows of a widget: the widget as long as its kernel lives, else the picture that is saved with it. */
export class Display {
  constructor(
    private readonly _place: Panel,
    private readonly _rendermime: IRenderMimeRegistry,
    session: ISessionContext
  ) {
    _place.addClass('jp-QPI-Display');
    session.statusChanged.connect(this._onStatus, this);
    _place.disposed.connect(() => {
      this._watcher.disconnect();
      session.statusChanged.disconnect(this._onStatus, this);
    });
  }

  /** Show what the output holds now; the widget itself is drawn once. */
  async show(model: IRenderMime.IMimeModel): Promise<void> {
    const id = idOf(model.data[WIDGET]);
    const { [VIEW]: view, [WIDGET]: _, ...pictures } = model.data;
    await this._draw(pictures, model);
    if (
      model.trusted &&
      id !== '' &&
      id !== this._id &&
      this._rendermime.mimeTypes.includes(VIEW)
    ) {
      this._id = id;
      await this._show(id);
    }
    if (view !== undefined) {
      // Where the notebook is opened without us, nobody shall look for a widget that is gone.
      model.setData({ data: { [WIDGET]: model.data[WIDGET] ?? {}, ...pictures } });
    }
  }

  private async _draw(
    pictures: IRenderMime.IMimeModel['data'],
    { metadata, trusted }: IRenderMime.IMimeModel
  ): Promise<void> {
    const key = JSON.stringify(pictures);
    const type = this._rendermime.preferredMimeType(pictures, trusted ? 'any' : 'ensure');
    if (key === this._drawn || type === undefined) {
      return;
    }
    this._drawn = key;
    const picture = this._rendermime.createRenderer(type);
    const before = this._picture;
    this._picture = picture;
    await picture.renderModel(this._rendermime.createModel({ data: pictures, metadata, trusted }));
    before?.dispose();
    this._place.insertWidget(0, picture);
    this._choose();
  }

  private async _show(id: string): Promise<void> {
    this._live?.dispose();
    const live = this._rendermime.createRenderer(VIEW);
    this._live = live;
    this._place.addWidget(live);
    this._watcher.observe(live.node, { childList: true });
    this._choose();
    const data = { [VIEW]: { version_major: 2, version_minor: 0, model_id: id } };
    await live.renderModel(this._rendermime.createModel({ data, trusted: true }));
  }

  /** The widget where it is there, else the picture. */
  private _choose(): void {
    const there = this._live !== null && this._live.node.firstElementChild !== null;
    this._live?.setHidden(!there);
    this._picture?.setHidden(there);
  }

  private _onStatus(_: ISessionContext, status: string): void {
    if (GONE.includes(status)) {
      this._live?.dispose();
      this._live = null;
      this._choose();
    }
  }

  private _drawn = '';
  private _id = '';
  private _live: IRenderMime.IRenderer | null = null;
  private _picture: IRenderMime.IRenderer | null = null;
  private readonly _watcher = new MutationObserver(() => this._choose());
}

function idOf(data: unknown): string {
  const found = typeof data === 'object' && data !== null && 'model_id' in data;
  return found && typeof data.model_id === 'string' ? data.model_id : '';
}
