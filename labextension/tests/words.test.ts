import { afterEach, describe, expect, it } from 'vitest';

import { setClock, stamp } from '../src/words';

describe('a moment with the name of its clock', () => {
  const at = '2030-01-01T04:07:00Z';

  afterEach(() => setClock(''));

  it.each([
    ['UTC', /^(4:07\sAM|04:07) UTC$/],
    ['Asia/Tokyo', /^(1:07\sPM|13:07) UTC\+9$/],
    ['America/St_Johns', /(12:37\sAM|00:37) UTC-3:30$/]
  ])('in %s is as people write it', (zone, text) => {
    setClock(zone);
    expect(stamp(at, Date.parse(at))).toMatch(text);
  });
});
