import type { ICommandPalette } from '@jupyterlab/apputils';
import type { ILauncher } from '@jupyterlab/launcher';
import type { IRankedMenu } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { IDisposable } from '@lumino/disposable';

import type { ILabSettings } from './settings';

/** What leads to the lab in this page; null is what the page has not. */
export interface IPlaces {
  readonly commands: Pick<CommandRegistry, 'isVisible' | 'commandChanged'>;
  readonly palette: Pick<ICommandPalette, 'addItem'> | null;
  readonly menu: Pick<IRankedMenu, 'addItem'> | null;
  readonly launcher: Pick<ILauncher, 'add'> | null;
  readonly settings: ILabSettings;
  /** The lab's name where its settings have none. */
  readonly name: string;
}

/** The ways to what the lab shows: entries of the palette and the menu, and cards of the launcher. */
export class Ways {
  constructor(private readonly _places: IPlaces) {
    const { commands, settings } = _places;
    settings.changed.connect(() => this._cards.forEach(this._keep));
    commands.commandChanged.connect((_, { id = '' }) => {
      const card = this._cards.get(id);
      if (card) {
        this._keep(card, id);
      }
    });
  }

  /** Lead to a command from the palette; with a rank from the menu and the launcher, too. */
  add(command: string, rank?: number): void {
    const { menu, name, palette } = this._places;
    palette?.addItem({ command, category: name });
    if (rank !== undefined) {
      menu?.addItem({ command, rank });
      const card = { rank, category: '', shown: null };
      this._cards.set(command, card);
      this._keep(card, command);
    }
  }

  /** A card under the lab's name for who may use the command, and none for the others: the launcher does not ask. */
  private readonly _keep = (card: ICard, command: string): void => {
    const { commands, launcher, name, settings } = this._places;
    const category = commands.isVisible(command) ? settings.values.labName || name : '';
    if (category !== card.category) {
      card.category = category;
      card.shown?.dispose();
      card.shown = (category && launcher?.add({ command, category, rank: card.rank })) || null;
    }
  };

  private readonly _cards = new Map<string, ICard>();
}

interface ICard {
  readonly rank: number;
  /** What it is shown under; empty: it is not shown. */
  category: string;
  shown: IDisposable | null;
}
