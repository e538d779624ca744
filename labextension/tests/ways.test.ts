import type { ILauncher } from '@jupyterlab/launcher';
import { DisposableDelegate } from '@lumino/disposable';
import { beforeEach, describe, expect, it } from 'vitest';

import { LabSettings } from '../src/around/settings';
import { Ways } from '../src/around/ways';
import { FakeCommands } from './faults';

describe('the ways to a tab', () => {
  let commands: FakeCommands;
  let settings: LabSettings;
  let cards: ILauncher.IItemOptions[];
  let found: string[];
  let menu: string[];
  let ways: Ways;

  beforeEach(() => {
    commands = new FakeCommands();
    settings = new LabSettings();
    cards = [];
    found = [];
    menu = [];
    commands.add('one');
    commands.add('two');
    commands.add('three');
    const put = (list: string[]) => (item: { command?: string; category?: string }) => {
      list.push([item.command, item.category].join(' '));
      return new DisposableDelegate(() => undefined);
    };
    const launcher: ILauncher = {
      add: item => {
        cards.push(item);
        return new DisposableDelegate(() => {
          cards = cards.filter(one => one !== item);
        });
      }
    };
    ways = new Ways({
      commands,
      settings,
      launcher,
      palette: { addItem: put(found) },
      menu: { addItem: put(menu) as never },
      name: 'Quantum lab'
    });
    ways.add('one', 5);
    ways.add('two', 6);
    ways.add('three');
  });

  const changed = (id: string) => commands.commandChanged.emit({ id, type: 'changed' });
  const shown = () => cards.map(card => [card.command, card.category, card.rank]);

  it('are those that it was given', () => {
    expect(found).toEqual(['one', 'two', 'three'].map(name => `${name} Quantum lab`));
    expect(menu).toEqual(['one ', 'two ']);
    expect(shown()).toEqual([
      ['one', 'Quantum lab', 5],
      ['two', 'Quantum lab', 6]
    ]);
  });

  it('have a card for those who may use the command only', () => {
    commands.hidden.add('two');
    changed('two');
    expect(shown()).toEqual([['one', 'Quantum lab', 5]]);
    changed('one');
    commands.hidden.delete('two');
    changed('two');
    expect(shown().map(([command]) => command)).toEqual(['one', 'two']);
  });

  it('stand under the name of the lab', () => {
    settings.replace({ labName: "Ada's lab" });
    expect(shown().map(([, category]) => category)).toEqual(["Ada's lab", "Ada's lab"]);
    settings.replace({ labName: "Ada's lab", jobsShown: 3 });
    expect(cards).toHaveLength(2);
  });
});
