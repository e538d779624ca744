import '../../style/common.css';
import '../../style/queue.css';

import { InputDialog } from '@jupyterlab/apputils';
import type { Widget } from '@lumino/widgets';

import { registerOpenQasm } from '../around/openqasm';
import { labFile } from '../request';
import type { IPage } from '../tabs';
import { shortened } from './actions';
import { Bin } from './bin';
import { JobDetail } from './jobmodel';
import { JobView } from './jobview';
import { loadView, saveView } from './kept';
import { QueueModel } from './model';
import type { ITools } from './tools';
import { QueueView } from './view';

/** What the queue tab and the tabs of jobs hold; loaded when the first one opens. */
export class JobTabs {
  constructor(private readonly _page: IPage) {
    const { app, editors, manager, trans } = _page;
    this._tools = {
      manager,
      trans,
      commands: app.commands,
      services: app.serviceManager,
      editors: editors?.factoryService ?? null,
      file: labFile(app.serviceManager.serverSettings),
      bin: new Bin(manager.request)
    };
  }

  async queue(): Promise<Widget> {
    const { stateDB } = this._page;
    const { bin, manager } = this._tools;
    const model = new QueueModel(manager, bin, await loadView(stateDB));
    model.viewChanged.connect((_, changed) => void saveView(stateDB, changed));
    return new QueueView(model, this._tools);
  }

  /** Which job somebody wants to see; null: none. */
  async ask(): Promise<string | null> {
    const { trans } = this._tools;
    const title = trans.__('Open which job?');
    const placeholder = trans.__('Job ID');
    const answer = await InputDialog.getText({ title, placeholder });
    return answer.button.accept ? (answer.value ?? '').trim() : null;
  }

  job(id: string): Widget {
    const { languages } = this._page;
    if (languages) {
      registerOpenQasm(languages);
    }
    const { file, manager } = this._tools;
    const model = new JobDetail(id, manager, file);
    const view = new JobView(model, this._tools);
    model.changed.connect((_, state) => {
      const tab = view.parent;
      if (tab && state.job) {
        const name = state.job.name || state.job.id;
        tab.title.label = shortened(name); // the status bar has the whole label
        tab.title.caption = name;
      }
    });
    return view;
  }

  private readonly _tools: ITools;
}
