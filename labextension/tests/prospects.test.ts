import { nullTranslator } from '@jupyterlab/translation';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { condition, etaText, jobNote } from '../src/prospects';
import type { Eta, WaitReason } from '../src/wire';
import { setClock } from '../src/words';
import { job, qpu } from './faults';

const trans = nullTranslator.load('qpi-jupyter');
const ten = Date.parse('2026-01-01T10:00:00Z');
const reason: WaitReason = {
  rule: 'behind',
  message: '1 job goes first on sim-a.',
  position: 2,
  since_at: null,
  until_at: null
};
const unknown: Eta = {
  of: 'start',
  known: false,
  earliest_at: null,
  likely_at: null,
  latest_at: null,
  error_s: null
};
const soon: Eta = {
  of: 'start',
  known: true,
  earliest_at: '2026-01-01T10:04:00.5Z',
  likely_at: '2026-01-01T10:05:00Z',
  latest_at: '2026-01-01T10:09:00Z',
  error_s: 12.4
};
/** Hours and minutes have two digits, whatever the language of this computer. */
const clocks = (text: string) => text.match(/\d\d?:\d\d(:\d\d)?/g);

beforeEach(() => setClock('Asia/Kolkata'));
afterEach(() => setClock(''));

describe('etaText', () => {
  it('has whole seconds, a range, the past error and the name of the clock', () => {
    const text = etaText(soon, ten, trans);
    expect(text).toMatch(/^starts about .* UTC\+5:30\), off by 12 s lately$/);
    expect(
      clocks(text)
        ?.slice(0, 3)
        .map(at => at.slice(-5))
    ).toEqual(['35:00', '34:00', '39:00']);
  });

  it('has minutes where it is far away', () => {
    const later = { ...soon, latest_at: '2026-01-01T10:30:00Z', error_s: null };
    const text = etaText(later, ten, trans);
    expect(
      clocks(text)
        ?.map(at => at.slice(-2))
        .slice(0, 3)
    ).toEqual(['35', '34', '00']);
    expect(text).not.toContain('off by');
  });

  it('promises nothing that nobody knows', () => {
    expect(etaText(unknown, ten, trans)).toBe('start not known yet');
    expect(etaText({ ...unknown, of: 'end' }, ten, trans)).toBe('');
  });

  it('says when a running job ends', () => {
    expect(etaText({ ...soon, of: 'end' }, ten, trans)).toMatch(/^ends about /);
  });
});

describe('jobNote', () => {
  it('says why a job waits, its place and that no start is promised', () => {
    expect(jobNote(job({ reason, eta: unknown }), ten, trans)).toBe(
      '1 job goes first on sim-a · position 2 · start not known yet'
    );
  });

  it('says until when a booking keeps it waiting', () => {
    const booked = { ...reason, position: null, until_at: '2026-01-01T11:00:00Z' };
    expect(jobNote(job({ reason: booked }), ten, trans)).toMatch(/ · until .*30.* UTC\+5:30$/);
  });
});

describe('condition', () => {
  it('is the reason of a hold, and the end of a maintenance where it is known', () => {
    expect(condition(qpu({ status: 'held', reason: 'too warm' }), ten, trans)).toBe('too warm');
    const until_at = '2026-01-01T11:00:00Z';
    expect(condition(qpu({ status: 'maintenance', until_at }), ten, trans)).toMatch(/^until .*30/);
    expect(condition(qpu(), ten, trans)).toBe('');
  });
});
