import { describe, expect, it } from 'vitest';

import { LabClock } from '../src/clock';

describe('LabClock', () => {
  const noon = Date.parse('2026-01-01T12:00:00Z');
  const at = (ms: number) => new Date(ms).toUTCString();

  it('leaves a clock alone that may be right', () => {
    const clock = new LabClock(() => noon + 700);
    clock.hear(at(noon), noon + 650);
    expect(clock.now()).toBe(noon + 700);
  });

  it('corrects a clock that is an hour behind', () => {
    const clock = new LabClock(() => noon - 3_600_000);
    clock.hear(at(noon), noon - 3_600_000 - 40);
    expect(Math.abs(clock.now() - noon)).toBeLessThanOrEqual(1000);
  });

  it('knows the time the better the more it hears', () => {
    let local = noon - 3_600_000;
    const clock = new LabClock(() => local);
    for (let i = 0; i < 50; i += 1) {
      local += 130;
      clock.hear(at(Math.floor((local + 3_600_400) / 1000) * 1000), local);
    }
    expect(Math.abs(clock.now() - (local + 3_600_400))).toBeLessThan(100);
  });

  it('begins anew when a clock was set', () => {
    let local = noon;
    const clock = new LabClock(() => local);
    clock.hear(at(noon), noon);
    local = noon - 600_000;
    clock.hear(at(noon), local);
    expect(Math.abs(clock.now() - noon)).toBeLessThanOrEqual(1000);
  });

  it('does without a Date', () => {
    const clock = new LabClock(() => noon);
    clock.hear(null, noon);
    clock.hear('yesterday', noon);
    expect(clock.now()).toBe(noon);
  });
});
