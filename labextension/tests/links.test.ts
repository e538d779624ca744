import { describe, expect, it } from 'vitest';
import { tabAddress } from '../src/address';
import { askedTab } from '../src/links';

describe('a link to a tab', () => {
  it.each([
    ['qpi:open-job', { id: 'j&1' }],
    ['qpi:open-qpu', { qpu: 'sim a' }],
    ['qpi:open-queue', {}]
  ])('leads to %s with its arguments', (command, args) => {
    const url = new URL(tabAddress(command, args), 'http://host/');
    expect(url.pathname).toMatch(/\/lab$/);
    expect(askedTab(url.search)).toEqual({ command, args, rest: '' });
  });

  it('leaves the rest of the address alone', () => {
    expect(askedTab('?token=t&qpi=job&id=j1&reset')?.rest).toBe('?token=t&reset=');
  });

  it.each(['', '?id=j1', '?qpi=', '?qpi=file', '?qpi=constructor'])('is none: %s', search => {
    expect(askedTab(search)).toBeNull();
  });
});
