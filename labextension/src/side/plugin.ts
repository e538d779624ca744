import { ILayoutRestorer } from '@jupyterlab/application';
import { IStateDB } from '@jupyterlab/statedb';
import type { Message } from '@lumino/messaging';
import { Panel } from '@lumino/widgets';

import { PANEL_ID } from '../around/ids';
import { ILabSettings } from '../around/settings';
import { labIcon } from '../icon';
import { labPlugin } from '../labplugin';
import { ILabManager } from '../tokens';
import type { ISideContext } from './view';

/** The side panel's place; what is in it is loaded when it is first looked at. */
class SidePanel extends Panel {
  constructor(private readonly _context: ISideContext) {
    super();
    this.id = PANEL_ID;
    this.addClass('jp-QPI-Panel');
    this.title.caption = _context.trans.__('Quantum lab');
    this.title.icon = labIcon;
    this.node.tabIndex = 0; // so that the arrow keys scroll it
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', this.title.caption);
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    if (this.isVisible) {
      this._filled ??= this._fill(); // a restored layout shows it from the start
    }
  }

  protected override onBeforeShow(message: Message): void {
    super.onBeforeShow(message);
    this._filled ??= this._fill();
  }

  protected override onActivateRequest(): void {
    this.node.focus();
  }

  private async _fill(): Promise<void> {
    const { SideView, Sections } = await import('./view');
    const sections = await Sections.load(this._context.stateDB);
    if (!this.isDisposed) {
      this.addWidget(new SideView(this._context, sections));
    }
  }

  private _filled: Promise<void> | undefined;
}

export const sidePlugin = labPlugin(
  'side',
  'The side panel of the lab.',
  [ILabManager, ILabSettings],
  [ILayoutRestorer, IStateDB],
  (app, trans, manager, settings, restorer, stateDB) => {
    const panel = new SidePanel({
      commands: app.commands,
      manager,
      server: app.serviceManager.serverSettings,
      settings,
      stateDB,
      trans
    });
    app.shell.add(panel, 'left', { rank: 900, type: 'QPI' });
    restorer?.add(panel, panel.id);
  }
);
