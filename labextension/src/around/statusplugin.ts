import { GroupItem, IStatusBar, TextItem } from '@jupyterlab/statusbar';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import { createElement, type ReactElement } from 'react';

import { labIcon } from '../icon';
import { labPlugin } from '../labplugin';
import { qpuState } from '../states';
import { type Connection, ILabManager, type ILabState } from '../tokens';
import { OPEN_PANEL } from './ids';
import { ILabSettings } from './settings';
import { watchClock } from './zone';

export const statusPlugin = labPlugin(
  'status',
  'The status bar of the lab.',
  [ILabManager, ILabSettings],
  [IStatusBar],
  (app, trans, manager, settings, statusBar) => {
    watchClock(manager, settings);
    const open = () => void app.commands.execute(OPEN_PANEL);
    const item = new StatusItem(manager, settings, trans, open);
    statusBar?.registerStatusItem('qpi-jupyter:status', { item, align: 'left', rank: 90 });
  }
);

/** Opens the side panel. Written without JSX, whose runtime nothing else needs at the start. */
class StatusItem extends ReactWidget {
  constructor(
    private readonly _manager: ILabManager,
    private readonly _settings: ILabSettings,
    private readonly _trans: TranslationBundle,
    private readonly _open: () => void
  ) {
    super();
    this.addClass('jp-QPI-Status');
    this.addClass('jp-mod-highlighted'); // JupyterLab's own look of what can be pressed
    _manager.changed.connect(this.update, this);
    _settings.changed.connect(this.update, this);
  }

  protected override render(): ReactElement {
    const { defaultQpu } = this._settings.values;
    const source = statusText(this._manager.state, defaultQpu, this._trans);
    const icon = { key: 'icon', tag: 'span', width: '14px', 'aria-hidden': true } as const;
    return createElement(GroupItem, {
      spacing: 4,
      role: 'button',
      tabIndex: 0,
      title: this._trans.__('Open the quantum lab'),
      onClick: this._open,
      onKeyDown: event => {
        if (event.key === 'Enter' || event.key === ' ') {
          event.preventDefault();
          this._open();
        }
      },
      children: [
        createElement(labIcon.react, icon),
        createElement(TextItem, { key: 'text', source })
      ]
    });
  }
}

/** My running and waiting jobs, and the state of my QPU; without one of mine, how many are online. */
function statusText(state: ILabState, mine: string, trans: TranslationBundle): string {
  if (state.connection !== 'connected') {
    const words: Record<Exclude<Connection, 'connected'>, string> = {
      connecting: trans.__('Lab…'),
      lost: trans.__('Lab: connection lost'),
      refused: trans.__('Lab: no access')
    };
    return words[state.connection];
  }
  const running = state.jobs.filter(job => job.status === 'running').length;
  const waiting = state.jobs.filter(job => job.status === 'pending').length;
  const qpu = state.qpus.find(one => one.name === mine);
  const online = state.qpus.filter(one => one.status === 'online').length;
  return [
    running > 0 ? trans.__('%1 running', running) : '',
    waiting > 0 ? trans.__('%1 waiting', waiting) : '',
    qpu
      ? `${qpu.name}: ${qpuState(qpu, trans)[0]}`
      : trans._n('%1 QPU online', '%1 QPUs online', online)
  ]
    .filter(Boolean)
    .join(' · ');
}
