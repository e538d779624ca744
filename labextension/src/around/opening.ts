import type { JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget, type WidgetTracker } from '@jupyterlab/apputils';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { ITab } from '../tokens';

/** The tabs that are being made, by their ids. */
const opening = new Map<string, Promise<MainAreaWidget | null>>();

/** Open a tab, or bring it to the front where it is open; null: there was nothing to open. */
export async function openTab(
  shell: JupyterFrontEnd.IShell,
  tracker: WidgetTracker<MainAreaWidget>,
  tab: ITab,
  args: ReadonlyPartialJSONObject
): Promise<MainAreaWidget | null> {
  const { argument = '' } = tab;
  const value = String(args[argument] ?? '') || ((await tab.ask?.()) ?? '');
  if (argument && !value) {
    return null;
  }
  const id = argument ? `${tracker.namespace}-${value}` : tracker.namespace;
  let widget = tracker.find(known => known.id === id) ?? null;
  if (!widget) {
    // Who asks twice before it is there gets one
    const made = opening.get(id) ?? makeTab(id).finally(() => opening.delete(id));
    opening.set(id, made);
    widget = await made;
  }
  if (widget) {
    shell.activateById(id);
  }
  return widget;

  async function makeTab(id: string): Promise<MainAreaWidget | null> {
    const content = await tab.make(value);
    if (content === null) {
      return null;
    }
    const widget = new MainAreaWidget({ content });
    widget.id = id;
    widget.title.label = tab.title(value);
    widget.title.icon = tab.icon;
    widget.title.closable = true;
    widget.toolbar.hide(); // nothing is in it
    shell.add(widget, 'main', { type: 'QPI' });
    await tracker.add(widget);
    return widget;
  }
}
