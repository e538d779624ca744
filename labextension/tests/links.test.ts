import { describe, expect, it } from 'vitest';
import { tabAddress } from '../src/address';
import { askedTab } from '../src/links';
import { FakeCommands } from './faults';

describe('a link to a tab', () => {
  const commands = new FakeCommands();
  commands.add('qpi:open-job', 'id');
  commands.add('qpi:open-qpu', 'qpu');
  commands.add('qpi:open-queue');

  it.each([
    ['qpi:open-job', { id: 'j&1' }],
    ['qpi:open-qpu', { qpu: 'sim a' }],
    ['qpi:open-queue', {}]
  ])('leads to %s with its arguments', async (command, args) => {
    const url = new URL(tabAddress(command, args), 'http://host/');
    expect(url.pathname).toMatch(/\/lab$/);
    expect(await askedTab(url.search, commands)).toEqual({ command, args, rest: '' });
  });

  it('leaves the rest of the address alone', async () => {
    const asked = await askedTab('?token=t&qpi=job&id=j1&reset', commands);
    expect(asked?.rest).toBe('?token=t&reset=');
  });

  it('gives a tab no argument that it does not take', async () => {
    expect((await askedTab('?qpi=queue&id=j1', commands))?.args).toEqual({});
  });

  it.each(['', '?id=j1', '?qpi=', '?qpi=file', '?qpi=constructor'])('is none: %s', async search => {
    expect(await askedTab(search, commands)).toBeNull();
  });
});
