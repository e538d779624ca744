import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { Message } from '@lumino/messaging';
import { Panel } from '@lumino/widgets';

import { PANEL_ID } from '../around/ids';
import { ILabSettings } from '../around/settings';
import { labIcon } from '../icon';
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

export const sidePlugin: JupyterFrontEndPlugin<void> = {
  id: 'qpi-jupyter:side',
  description: 'The side panel of the lab.',
  autoStart: true,
  requires: [ILabManager, ILabSettings],
  optional: [ITranslator, ILayoutRestorer, IStateDB],
  activate: (
    app: JupyterFrontEnd,
    manager: ILabManager,
    settings: ILabSettings,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    stateDB: IStateDB | null
  ) => {
    const trans = (translator ?? nullTranslator).load('qpi-jupyter');
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
};
