import '../../style/common.css';
import '../../style/calendar.css';

import { Notification } from '@jupyterlab/apputils';
import type { IStateDB } from '@jupyterlab/statedb';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type * as React from 'react';

import { handFocus, keepFocus } from '../focus';
import type { ILabManager } from '../tokens';
import { CalendarController, type Teller } from './controller';
import { type IHabits, keep, recall } from './memory';
import { CalendarModel } from './model';
import { Calendar } from './page';

/** How long a message stays, and how long "Undo" is offered (ms). */
const STAYS = 5_000;
const UNDO_FOR = 15_000;

/** The content of the calendar tab. */
export class CalendarTab extends ReactWidget {
  /** A calendar as it was last looked at. */
  static async load(
    lab: ILabManager,
    stateDB: IStateDB | null,
    trans: TranslationBundle
  ): Promise<CalendarTab> {
    return new CalendarTab(lab, stateDB, trans, await recall(stateDB));
  }

  private constructor(
    private readonly _lab: ILabManager,
    private readonly _stateDB: IStateDB | null,
    private readonly _trans: TranslationBundle,
    habits: Partial<IHabits>
  ) {
    super();
    this.addClass('jp-QPI-Calendar');
    keepFocus(this.node, () => this._grid);
    this._model = new CalendarModel(_lab);
    const tell: Teller = (said, undo) => {
      const actions = undo ? [{ label: _trans.__('Undo'), callback: undo }] : [];
      Notification.success(said, { autoClose: undo ? UNDO_FOR : STAYS, actions });
    };
    this._controller = new CalendarController(this._model, _trans, tell, habits);
    this._kept = JSON.stringify(this._controller.habits);
    this._controller.changed.connect(this._keep, this);
    void this._model.fetchRules();
  }

  override dispose(): void {
    this._controller.changed.disconnect(this._keep, this);
    this._model.dispose();
    super.dispose();
  }

  protected override onActivateRequest(): void {
    void handFocus(this, () => this._grid);
  }

  protected override render(): React.ReactElement {
    return <Calendar lab={this._lab} controller={this._controller} trans={this._trans} />;
  }

  private _keep(): void {
    const { habits } = this._controller;
    const kept = JSON.stringify(habits);
    if (kept !== this._kept) {
      this._kept = kept;
      void keep(this._stateDB, habits);
    }
  }

  private get _grid(): HTMLElement | null {
    return this.node.querySelector('.jp-QPI-Grid');
  }

  private _kept: string;
  private readonly _model: CalendarModel;
  private readonly _controller: CalendarController;
}
