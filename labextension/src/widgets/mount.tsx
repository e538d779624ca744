import '../../style/common.css';
import '../../style/widgets.css';

import * as React from 'react';
import { createRoot } from 'react-dom/client';

import { notes } from './jupyterlab/apputils';
import { type IWidgetModel, Kernel } from './kernel';

/** What a widget is made with. */
export interface IPlace {
  readonly model: IWidgetModel;
  readonly kernel: Kernel;
}

/** What a widget shows, until it is disposed. */
export interface IShown {
  readonly element: React.ReactElement;
  readonly dispose: () => void;
}

/** A widget as anywidget takes it; `tab` is the tab of the panel whose looks it has. */
export function anywidget(name: string, tab: string, make: (place: IPlace) => IShown) {
  return {
    render({ model, el }: { model: IWidgetModel; el: HTMLElement }): () => void {
      const kernel = new Kernel(model);
      const { element, dispose } = make({ model, kernel });
      el.classList.add('jp-QPI-Widget', `jp-QPI-${name}`, `jp-QPI-${tab}`);
      el.dataset.lmSuppressShortcuts = 'true'; // the notebook's own keys are for its cells
      // JupyterLab says so on the body. Its variables tell nothing: ipywidgets brings them where it stands, the light ones
      if (document.body.dataset.jpThemeLight === undefined) {
        el.classList.add('jp-mod-alone'); // no JupyterLab: its colours are ours to say
      }
      const root = createRoot(el);
      root.render(
        <>
          {element}
          <Notes />
        </>
      );
      return () => {
        root.unmount();
        dispose();
        kernel.dispose();
      };
    }
  };
}

/** What was told last. */
function Notes(): React.ReactElement {
  const [note, setNote] = React.useState<Parameters<typeof notes.emit>[0] | null>(null);
  React.useEffect(() => {
    const take = (_: object, told: typeof note) => setNote(told);
    notes.connect(take);
    return () => void notes.disconnect(take);
  }, []);
  React.useEffect(() => {
    if (note === null || note.stays === false) {
      return;
    }
    const timer = setTimeout(() => setNote(null), note.stays);
    return () => clearTimeout(timer);
  }, [note]);
  return (
    <div role={note?.bad ? 'alert' : 'status'} className="jp-QPI-WidgetNote">
      {note !== null && (
        <p data-tone={note.bad ? 'bad' : 'good'}>
          {note.text}
          {note.actions.map(({ label, callback }) => (
            <button
              key={label}
              type="button"
              className="jp-QPI-Action jp-mod-styled"
              onClick={() => {
                setNote(null);
                callback();
              }}
            >
              {label}
            </button>
          ))}
        </p>
      )}
    </div>
  );
}
