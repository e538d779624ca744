import '../../style/common.css';
import '../../style/queue.css';
import '../../style/outputs.css';

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import { type Panel, Widget } from '@lumino/widgets';
import * as React from 'react';
import type { IShown } from '../place';
import { serverRequest } from '../serverrequest';
import type { ILabManager } from '../tokens';
import { WIDGET } from '../widgets/types';
import { JOB_OUTPUT, PREVIEW_OUTPUT } from '../wire';
import { Follower } from './follower';
import { Keeper } from './keeper';
import { Elsewhere } from './otherlab';
import { type IPreview, readPreviewOutput } from './preview';
import { PreviewView } from './previewview';
import { readOutput } from './schema';
import { type IPage, OutputView } from './view';

/** The jobs and the widgets in the notebooks of this page. */
export class Outputs {
  constructor(app: JupyterFrontEnd, manager: ILabManager, trans: TranslationBundle) {
    const { commands, serviceManager } = app;
    const elsewhere = new Elsewhere(serverRequest(serviceManager.serverSettings));
    this._page = { commands, elsewhere, manager, trans };
    this._follower = new Follower(manager);
  }

  /** Show in `place`, in a notebook, what its output holds: a job, or a widget with a picture beside it. */
  into(place: Panel, { content, sessionContext }: NotebookPanel): IShown {
    let display: Promise<IShown> | undefined;
    const widget = async () => {
      const { Display } = await import('../widgets/display');
      return new Display(place, content.rendermime, sessionContext);
    };
    return {
      show: async model => {
        if (model.data[PREVIEW_OUTPUT] !== undefined) {
          this._preview(place, model);
        } else if (model.data[WIDGET] === undefined) {
          this._show(place, model);
        } else {
          display ??= widget();
          await (await display).show(model);
        }
      }
    };
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

  private _preview(place: Panel, model: IRenderMime.IMimeModel): void {
    const preview = readPreviewOutput(model.data[PREVIEW_OUTPUT]);
    place.widgets[0]?.dispose();
    place.addWidget(preview ? this._drawn(preview) : this._unread(model));
  }

  private _drawn(preview: IPreview): Widget {
    const { trans } = this._page;
    const widget = ReactWidget.create(React.createElement(PreviewView, { preview, trans }));
    widget.addClass('jp-QPI-Output');
    return widget;
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
  private readonly _page: IPage;
}
