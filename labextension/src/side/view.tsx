import '../../style/common.css';
import '../../style/side.css';

import type { ServerConnection } from '@jupyterlab/services';
import type { IStateDB } from '@jupyterlab/statedb';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type * as React from 'react';
import { useEffect, useReducer } from 'react';

import type { ILabSettings } from '../around/settings';
import { keepFocus } from '../focus';
import { useFrame } from '../hooks';
import type { ILabManager } from '../tokens';
import { Elsewhere } from './elsewhere';
import { Figures } from './figures';
import {
  BookingSection,
  ConnectionNote,
  Header,
  JobSection,
  NoticeSection,
  QpuSection,
  TimeSection
} from './parts';
import { Sections } from './sections';

export { Sections };

/** What the side panel is made with. */
export interface ISideContext {
  readonly commands: CommandRegistry;
  readonly manager: ILabManager;
  /** This Jupyter server. */
  readonly server: ServerConnection.ISettings;
  readonly settings: ILabSettings;
  readonly stateDB: IStateDB | null;
  readonly trans: TranslationBundle;
}

/** The side panel: what one looks at all day. */
export class SideView extends ReactWidget {
  constructor(
    private readonly _context: ISideContext,
    private readonly _sections: Sections
  ) {
    super();
    const { manager } = _context;
    const names = () => manager.state.qpus.map(qpu => qpu.name);
    this._figures = new Figures(manager.request, names, () => !this.isVisible);
    manager.changed.connect(this._figures.want, this._figures);
    this.addClass('jp-QPI-Side');
    keepFocus(this.node, () => this.node.parentElement);
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this._context.manager.changed.disconnect(this._figures.want, this._figures);
      this._figures.dispose();
    }
    super.dispose();
  }

  protected override render(): React.ReactElement {
    return (
      <Side
        context={this._context}
        figures={this._figures}
        isShown={() => this.isVisible}
        sections={this._sections}
      />
    );
  }

  private readonly _figures: Figures;
}

function Side(props: {
  context: ISideContext;
  figures: Figures;
  isShown: () => boolean;
  sections: Sections;
}): React.ReactElement {
  const { context, figures, isShown, sections } = props;
  const now = useEverything(context, figures, isShown);
  const part = { context, now, sections };
  return (
    <>
      <Header context={context} />
      <Elsewhere context={context} />
      <ConnectionNote context={context} now={now} />
      <NoticeSection {...part} />
      <QpuSection {...part} figures={figures} />
      <JobSection {...part} />
      <BookingSection {...part} />
      <TimeSection {...part} />
    </>
  );
}

/** Draws again with every change, and each second for what counts down; the lab's time. */
function useEverything(
  { commands, manager, settings }: ISideContext,
  figures: Figures,
  isShown: () => boolean
): number {
  const [, tick] = useReducer((count: number) => count + 1, 0);
  useFrame(manager.changed);
  useFrame(settings.changed);
  useFrame(figures.changed);
  useFrame(commands.commandChanged);
  useEffect(() => {
    const timer = setInterval(() => isShown() && tick(), 1000);
    return () => clearInterval(timer);
  }, [isShown]);
  return manager.now();
}
