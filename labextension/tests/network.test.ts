import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';
import { ringed, thickness } from '../src/network/rings';
import { availability, fidelity, latency, size, trust, undoing, why } from '../src/network/words';
import type { Advertisement } from '../src/wire';

const trans = nullTranslator.load('');
const QPU: Advertisement = {
  qpu: 'q1',
  kind: 'device',
  description: '',
  simulator: false,
  status: 'online',
  reason: '',
  availability: 'available',
  stale: false,
  seen_at: null,
  trust: 'platform_managed',
  num_qubits: 5,
  fidelity: 0.9,
  below_min_fidelity: false,
  calibration_id: '',
  latency_s: null,
  places: 1,
  queued: 0,
  running: 0,
  services: [],
  coupling_map: null,
  contributed_by: null,
  pending: false,
  trust_reason: '',
  problem: ''
};

describe('the places around the lab', () => {
  it.each([1, 2, 8, 9, 40, 300])('keep %i QPUs apart', count => {
    const places = ringed(count);
    expect(places).toHaveLength(count);
    for (const [n, one] of places.entries()) {
      expect(Math.hypot(one.x, one.y)).toBeGreaterThan(100);
      for (const other of places.slice(n + 1)) {
        expect(Math.hypot(one.x - other.x, one.y - other.y)).toBeGreaterThan(84);
      }
    }
  });

  it.each([7, 8, 9, 24, 100])('keep the words below each of %i QPUs free', count => {
    const places = ringed(count);
    const [circle, wide, from, to] = [44, 52, 44, 78];
    for (const one of places) {
      for (const other of places.filter(place => place !== one)) {
        const x = Math.min(Math.max(other.x, one.x - wide), one.x + wide);
        const y = Math.min(Math.max(other.y, one.y + from), one.y + to);
        expect(Math.hypot(other.x - x, other.y - y)).toBeGreaterThan(circle);
      }
    }
  });

  it('have thicker ways where the answer comes sooner', () => {
    const [near, far, unknown] = [thickness(0.001), thickness(0.05), thickness(null)];
    expect(near).toBeGreaterThan(far);
    expect(far).toBeGreaterThanOrEqual(unknown);
    expect(thickness(1e-9)).toBeLessThan(8);
  });
});

describe('words of a QPU in the network', () => {
  it('say no size before its driver has', () => {
    expect([5, 1, 0].map(num_qubits => size({ ...QPU, num_qubits }, trans))).toEqual([
      '5 qubits',
      '1 qubit',
      ''
    ]);
  });

  it('say no heartbeat before anything else', () => {
    expect(availability({ ...QPU, stale: true }, trans)).toEqual(['No heartbeat', 'offline']);
    expect(availability({ ...QPU, availability: 'busy' }, trans)).toEqual(['Busy', 'pending']);
  });

  it('say why it is not online', () => {
    expect(why(QPU, trans)).toBe('');
    const closed = { ...QPU, status: 'disabled' as const, reason: 'in quarantine (odd)' };
    expect(why(closed, trans)).toBe('Disabled: in quarantine (odd)');
  });

  it('tell a request from a refusal', () => {
    const untrusted = { ...QPU, trust: 'public_untrusted' as const };
    expect(trust({ ...untrusted, pending: true }, trans)[0]).toBe('Waiting for approval');
    expect(trust(untrusted, trans)[0]).toBe('Not approved');
  });

  it('are exact where one compares, and honest where nothing is known', () => {
    expect([fidelity(0.9876), fidelity(0.99876), fidelity(1), fidelity(null)]).toEqual([
      '0.988',
      '0.9988',
      '1.000',
      '–'
    ]);
    expect([latency(0.00123), latency(1.26), latency(null)]).toEqual(['1.2 ms', '1.3 s', '–']);
  });
});

it('a decision is taken back by the action that leads to the tier before', () => {
  expect(undoing(QPU)).toBe('approve');
  expect(undoing({ ...QPU, trust: 'quarantined' })).toBe('quarantine');
  expect(undoing({ ...QPU, trust: 'public_untrusted' })).toBe('reject');
});
