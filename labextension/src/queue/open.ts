import '../../style/queue.css';

import type { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import type { Widget } from '@lumino/widgets';

import { registerOpenQasm } from '../around/openqasm';
import { JobDetail } from './jobmodel';
import { JobView } from './jobview';
import { QueueModel } from './model';
import type { ITools } from './tools';
import { QueueView } from './view';

/** What the queue tab holds; loaded when the first one opens. */
export function queueView(tools: ITools): Widget {
  return new QueueView(new QueueModel(tools.manager, tools.bin), tools);
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
      tab.title.label = state.job.name || state.job.id;
    }
  });
  return view;
}
