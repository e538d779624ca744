import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { GroupItem, IStatusBar, TextItem } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { labIcon } from '../icon';
import { qpuState } from '../states';
import { type Connection, ILabManager, type ILabState } from '../tokens';
import { OPEN_PANEL } from './ids';
import { ILabSettings } from './settings';

export const statusPlugin: JupyterFrontEndPlugin<void> = {
  id: 'qpi-jupyter:status',
  description: 'My jobs and my QPU in the status bar.',
  autoStart: true,
  requires: [ILabManager, ILabSettings],
  optional: [IStatusBar, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    manager: ILabManager,
    settings: ILabSettings,
    statusBar: IStatusBar | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('qpi-jupyter');
    const open = () => void app.commands.execute(OPEN_PANEL);
    const item = ReactWidget.create(
      <Status manager={manager} settings={settings} trans={trans} open={open} />
    );
    item.addClass('jp-QPI-Status');
    item.addClass('jp-mod-highlighted'); // JupyterLab's own look of what can be pressed
    statusBar?.registerStatusItem('qpi-jupyter:status', { item, align: 'left', rank: 90 });
  }
};

function Status(props: {
  manager: ILabManager;
  settings: ILabSettings;
  trans: TranslationBundle;
  open: () => void;
}): React.ReactElement {
  const { manager, settings, trans } = props;
  const say = () => statusText(manager.state, settings.values.defaultQpu, trans);
  const [text, setText] = React.useState(say);
  React.useEffect(() => {
    const update = () => setText(say());
    manager.changed.connect(update);
    settings.changed.connect(update);
    return () => {
      manager.changed.disconnect(update);
      settings.changed.disconnect(update);
    };
  });
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      props.open();
    }
  };
  return (
    <GroupItem
      spacing={4}
      role="button"
      tabIndex={0}
      title={trans.__('Open the quantum lab')}
      onClick={props.open}
      onKeyDown={onKeyDown}
    >
      <labIcon.react tag="span" width="14px" aria-hidden="true" />
      <TextItem source={text} />
    </GroupItem>
  );
}

/** My running and waiting jobs, and the state of my QPU; without one of mine, how many are online. */
export function statusText(state: ILabState, mine: string, trans: TranslationBundle): string {
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
      ? `${qpu.name} ${qpuState(qpu, trans)[0]}`
      : trans._n('%1 QPU online', '%1 QPUs online', online)
  ]
    .filter(Boolean)
    .join(' · ');
}
