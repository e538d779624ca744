import '../../style/common.css';
import '../../style/queue.css';

import type { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import type { IStateDB } from '@jupyterlab/statedb';
import type { Widget } from '@lumino/widgets';

import { registerOpenQasm } from '../around/openqasm';
import { shortened } from './actions';
import { Bin } from './bin';
import { JobDetail } from './jobmodel';
import { JobView } from './jobview';
import { type ITableView, loadView, saveView } from './kept';
import { QueueModel } from './model';
import type { ITools } from './tools';
import { QueueView } from './view';

export { Bin, loadView };

/** What the queue tab holds; loaded when the first one opens. */
export function queueView(tools: ITools, view: ITableView, stateDB: IStateDB | null): Widget {
  const model = new QueueModel(tools.manager, tools.bin, view);
  model.viewChanged.connect((_, changed) => void saveView(stateDB, changed));
  return new QueueView(model, tools);
}

/** What the tab of a job holds. */
export function jobView(
  id: string,
  tools: ITools,
  languages: IEditorLanguageRegistry | null
): Widget {
  if (languages) {
    registerOpenQasm(languages);
  }
  const model = new JobDetail(id, tools.manager, tools.file);
  const view = new JobView(model, tools);
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
