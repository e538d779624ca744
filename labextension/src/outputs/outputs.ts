import '../../style/common.css';
import '../../style/queue.css';
import '../../style/outputs.css';

import type { NotebookPanel } from '@jupyterlab/notebook';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { type Panel, Widget } from '@lumino/widgets';
import type { IShown } from '../place';
import { JOB_OUTPUT } from '../wire';
import { Follower } from './follower';
import { Keeper } from './keeper';
import { readOutput } from './schema';
import { type IPage, OutputView } from './view';

/** The jobs in the notebooks of this page. */
export class Outputs {
  constructor(private readonly _page: IPage) {
    this._follower = new Follower(_page.manager);
  }

  /** Show in `place` the job that its output holds. */
  into(place: Panel): IShown {
    return { show: model => this._show(place, model) };
  }

  /** Keep what a notebook has of its jobs up to date. */
  keep(panel: NotebookPanel): void {
    new Keeper(panel, this._follower, this._page);
  }

  private _show(place: Panel, model: IRenderMime.IMimeModel): void {
    const output = readOutput(model.data[JOB_OUTPUT]);
    const [view] = place.widgets;
    if (view instanceof OutputView && output) {
      view.put(output);
      return;
    }
    view?.dispose();
    place.addWidget(
      output ? new OutputView(output, this._page, this._follower) : this._unread(model)
    );
  }

  private _unread(model: IRenderMime.IMimeModel): Widget {
    const { trans } = this._page;
    const widget = new Widget({ node: document.createElement('pre') });
    const plain = model.data['text/plain'];
    widget.node.textContent = [
      trans.__('This version of the lab can’t show this output.'),
      Array.isArray(plain) ? plain.join('') : String(plain ?? '')
    ].join('\n');
    return widget;
  }

  private readonly _follower: Follower;
}
