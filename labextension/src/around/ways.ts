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
    settings.changed.connect(() => {
      if (this._category !== this._named) {
        this._named = this._category;
        for (const card of this._cards.values()) {
          card.shown?.dispose();
          card.shown = null;
        }
        this._cards.forEach((_, command) => void this._keep(command));
      }
    });
    commands.commandChanged.connect((_, { id }) => this._keep(id ?? ''));
    this._named = this._category;
  }

  /** Into the palette. */
  find(command: string): void {
    this._places.palette?.addItem({ command, category: this._places.name });
  }

  /** Into the menu and the launcher: for what needs no argument. */
  offer(command: string, rank?: number): void {
    const item = { command, ...(rank !== undefined && { rank }) };
    this._places.menu?.addItem(item);
    this._cards.set(command, { item, shown: null });
    this._keep(command);
  }

  private get _category(): string {
    return this._places.settings.values.labName || this._places.name;
  }

  /** A card for who may use the command, and none for the others: the launcher itself does not ask. */
  private _keep(command: string): void {
    const { commands, launcher } = this._places;
    const card = this._cards.get(command);
    if (!card) {
      return;
    }
    if (!commands.isVisible(command)) {
      card.shown?.dispose();
      card.shown = null;
    } else {
      card.shown ??= launcher?.add({ ...card.item, category: this._named }) ?? null;
    }
  }

  private _named: string;
  private readonly _cards = new Map<string, ICard>();
}

interface ICard {
  readonly item: { command: string; rank?: number };
  shown: IDisposable | null;
}
