import type { IStateDB } from '@jupyterlab/statedb';
import { describe, expect, it } from 'vitest';

import { EVERYTHING_OF_MINE } from '../../src/queue/filters';
import { loadView, saveView } from '../../src/queue/kept';
import { candidates } from '../../src/queue/notebooks';
import { NEWEST_FIRST, turned } from '../../src/queue/order';
import { NOTHING, only, stretched, toggled } from '../../src/queue/selection';

const names = ['a', 'b', 'c', 'd'];
const rows = {
  at: (index: number) => (names[index] === undefined ? undefined : { id: names[index] }),
  indexOf: (id: string) => names.indexOf(id)
};

describe('a selection', () => {
  it('stretches from its anchor, up and down', () => {
    const down = stretched(only('b'), 'd', rows);
    expect([...down.ids]).toEqual(['b', 'c', 'd']);
    expect([...stretched(down, 'a', rows).ids]).toEqual(['a', 'b']);
  });

  it('takes one more, and lets one go', () => {
    expect([...toggled(only('a'), 'c').ids]).toEqual(['a', 'c']);
    expect([...toggled(only('a'), 'a').ids]).toEqual([]);
  });

  it('begins where it is stretched to if there was none, or if its anchor has gone', () => {
    expect([...stretched(NOTHING, 'c', rows).ids]).toEqual(['c']);
    expect([...stretched(only('gone'), 'c', rows).ids]).toEqual(['c']);
  });
});

describe('the order', () => {
  it('turns round by the same column, and begins with the smallest by another', () => {
    expect(turned(NEWEST_FIRST, 'submitted')).toEqual({ by: 'submitted', descending: false });
    expect(turned(NEWEST_FIRST, 'name')).toEqual({ by: 'name', descending: false });
    expect(turned({ by: 'name', descending: true }, 'submitted')).toEqual(NEWEST_FIRST);
  });
});

describe('the view that is kept', () => {
  const kept = (value: unknown): IStateDB => {
    const state = { value };
    return {
      fetch: async () => state.value,
      save: async (_: string, saved: unknown) => {
        state.value = saved;
      }
    } as unknown as IStateDB;
  };

  it('comes back', async () => {
    const stateDB = kept(undefined);
    const view = {
      filters: { ...EVERYTHING_OF_MINE, mine: false, tags: ['t'], status: 'failed' as const },
      order: { by: 'name' as const, descending: true }
    };
    await saveView(stateDB, view);
    expect(await loadView(stateDB)).toEqual(view);
  });

  it.each([
    undefined,
    null,
    'x',
    { filters: 7, order: { by: 'mood' } },
    { filters: { tags: 'x' } }
  ])('is the usual one where %j was kept', async value => {
    expect(await loadView(kept(value))).toEqual({
      filters: EVERYTHING_OF_MINE,
      order: NEWEST_FIRST
    });
  });
});

describe('the notebook of a job', () => {
  it.each([
    ['a/b.ipynb', '/srv/lab', ['a/b.ipynb']],
    ['/srv/lab/a/b.ipynb', '/srv/lab', ['a/b.ipynb']],
    ['/elsewhere/b.ipynb', '/srv/lab', []],
    ['/home/ada/lab/a/b.ipynb', '~/lab', ['a/b.ipynb']],
    ['/home/ada/b.ipynb', '~', ['home/ada/b.ipynb', 'ada/b.ipynb', 'b.ipynb']],
    ['C:\\Users\\ada\\b.ipynb', 'C:/Users/ada', ['b.ipynb']]
  ])('%s below %s may be %j', (path, root, found) => {
    expect(candidates(path, root)).toEqual(found);
  });
});
