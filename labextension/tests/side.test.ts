import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';

import { headline } from '../src/side/figures';
import { balanceText, nextBooking, qpuCard } from '../src/side/model';
import { quantity } from '../src/units';
import { duration } from '../src/words';
import { booking, qpu } from './faults';

const trans = nullTranslator.load('qpi-jupyter');
const ten = Date.parse('2026-01-01T10:00:00Z');
const MINUTE = 60_000;

describe('qpuCard', () => {
  const later = booking({
    id: 'b2',
    start_at: '2026-01-01T11:00:00Z',
    end_at: '2026-01-01T12:00:00Z'
  });

  it('says who has it, and when it is free after the bookings that follow', () => {
    const card = qpuCard(qpu(), [booking({ booked_by: 'bob' }), later], ten + MINUTE, trans);
    expect(card.holder).toMatch(/^bob until /);
    const free = new Date(ten + 120 * MINUTE).getHours();
    expect(card.nextFree).toContain(String(free).padStart(2, '0'));
  });

  it('names nobody where the lab keeps that private', () => {
    const card = qpuCard(qpu(), [booking({ booked_by: null })], ten + MINUTE, trans);
    expect(card.holder).toMatch(/^Somebody else until /);
  });

  it('says what is mine, and what is maintenance', () => {
    const mine = qpuCard(qpu(), [booking({ mine: true })], ten + MINUTE, trans);
    expect(mine).toMatchObject({ mine: true, holder: expect.stringMatching(/^Yours until /) });
    const service = qpuCard(qpu(), [booking({ mode: 'maintenance' })], ten + MINUTE, trans);
    expect(service.holder).toMatch(/^Maintenance until /);
  });

  it('says who is in a session, whatever is booked, and until when at the latest', () => {
    const session = {
      holder: 'bob',
      mine: false,
      opened_at: '2026-01-01T10:00:00Z',
      until: '2026-01-01T11:00:00Z'
    };
    const now = ten + MINUTE;
    const card = qpuCard(qpu({ session }), [later], now, trans);
    expect(card).toMatchObject({
      mine: false,
      holder: expect.stringMatching(/^bob, in a session until /)
    });
    const free = new Date(ten + 120 * MINUTE).getHours();
    expect(card.nextFree).toContain(String(free).padStart(2, '0'));
    const hidden = qpuCard(qpu({ session: { ...session, holder: null } }), [booking()], now, trans);
    expect(hidden.holder).toMatch(/^Somebody else, in a session until /);
    const own = qpuCard(qpu({ session: { ...session, mine: true } }), [booking()], now, trans);
    expect(own).toMatchObject({
      mine: true,
      holder: expect.stringMatching(/^In your session until /)
    });
  });

  it('is free until the next booking, and not for what is over or elsewhere', () => {
    const over = booking({
      id: 'b0',
      start_at: '2026-01-01T08:00:00Z',
      end_at: '2026-01-01T09:00:00Z'
    });
    const elsewhere = booking({ qpu: 'sim-b' });
    const card = qpuCard(qpu(), [over, elsewhere, later], ten + MINUTE, trans);
    expect(card.holder).toMatch(/^Free until .*, then ada$/);
    expect(card.nextFree).toBe('');
    expect(qpuCard(qpu(), [], ten, trans).holder).toBe('No upcoming bookings');
  });

  it('says why nothing starts, and then promises nobody a time', () => {
    const held = qpu({ status: 'held', reason: 'helium refill', hold: 'helium refill' });
    expect(qpuCard(held, [booking({}), later], ten + MINUTE, trans)).toMatchObject({
      state: 'On hold',
      detail: 'helium refill · 24 qubits · simulator · 1 running, 0 waiting',
      holder: '',
      nextFree: ''
    });
  });
});

describe('nextBooking', () => {
  it('counts down to the next one and then to its end', () => {
    const mine = [booking({ mine: true, title: 'tune-up' })];
    expect(nextBooking(mine, ten - 5 * MINUTE, trans)).toMatchObject({
      title: 'sim-a · tune-up',
      countdown: 'begins in 5 min 0 s',
      active: false
    });
    expect(nextBooking(mine, ten + 30 * MINUTE, trans)).toMatchObject({
      countdown: '30 min left',
      active: true
    });
    expect(nextBooking(mine, ten + 60 * MINUTE, trans)).toBeNull();
  });
});

describe('headline', () => {
  const channel = (name: string, value: number | null, unit = 's') => ({
    name,
    value,
    unit,
    calibration: true,
    at: '2026-01-01T00:00:00Z'
  });

  it('takes medians of what is known', () => {
    const channels = [
      channel('q0/t1', 90e-6),
      channel('q1/t1', 110e-6),
      channel('q2/t1', null),
      channel('q0/readout_error', 0.02, ''),
      channel('cx/0-1/error', 0.0071, ''),
      channel('4k', 3.9, 'K'),
      channel('mxc', 0.0123, 'K'),
      channel('still', null, 'K')
    ];
    expect(headline(channels, trans).map(({ label, value }) => `${label} ${value}`)).toEqual([
      'T1 100 µs',
      'Readout error 2 %',
      'Two-qubit error 0.71 %',
      'Fridge 12.3 mK'
    ]);
    expect(headline([], trans)).toEqual([]);
  });
});

describe('words', () => {
  it('says lengths of time in two units', () => {
    expect([0, 59_000, 61_000, 3_600_000, 90_000_000].map(ms => duration(ms, trans))).toEqual([
      '0 s',
      '59 s',
      '1 min 1 s',
      '1 h 0 min',
      '1 d 1 h'
    ]);
  });

  it('gives figures their prefix', () => {
    expect([quantity(1.02e-4, 's', 3), quantity(0, 's', 3), quantity(4.2, 'K', 3)]).toEqual([
      '102 µs',
      '0 s',
      '4.2 K'
    ]);
  });

  it('says what an account has', () => {
    const account = {
      name: 'ada',
      balance_s: 3600,
      held_s: 60,
      limited: true,
      available_s: 3540,
      used_s: 120
    };
    expect(balanceText(account, trans)).toBe(
      '59 min available · 2 min 0 s used · 1 min 0 s reserved'
    );
    expect(balanceText({ ...account, available_s: null, held_s: 0 }, trans)).toBe(
      'No limit · 2 min 0 s used'
    );
  });
});
