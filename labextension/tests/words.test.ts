import { afterEach, describe, expect, it } from 'vitest';

import { formatOf, setClock, stamp } from '../src/words';

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

  it.each([
    ['h23', '13:07'],
    ['h12', '1:07 PM']
  ] as const)('counts hours as %s where the person wants that', (hours, text) => {
    setClock('Asia/Tokyo', hours);
    expect(stamp(at, Date.parse(at)).replace('\u202f', ' ')).toBe(`${text} UTC+9`);
    const long = formatOf({ timeStyle: 'short' }).format(new Date(at)).replace('\u202f', ' ');
    expect(long).toBe(text);
    expect(formatOf({ dateStyle: 'short' }).format(new Date(at))).not.toContain(':');
  });
});
