import type { CommandRegistry } from '@lumino/commands';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { Labs, startAnew, wayTo } from '../src/labs';
import { LabError, type LabRequest } from '../src/request';
import type { LabConnections } from '../src/wire';

const HERE = 'http://127.0.0.1:8888/';
const NOTHING: LabConnections = { labs: [], here: HERE, current: null, waiting: null, problem: '' };
const FAR = { name: 'far', url: 'https://far', person: 'ann', expires_at: null };
const CODE = { url: 'https://far', user_code: 'BCDF-GHJK', page: 'https://far/qpi/device' };

function refusal(status: number, code: string, data: Record<string, unknown> = {}): LabError {
  return new LabError(new Response(null, { status }), `refused: ${code}`, code, data);
}

/** A server that answers one after the other; what it was asked. */
function server(...answers: readonly (LabConnections | Error)[]) {
  const asked: [string, string][] = [];
  const left = [...answers];
  const request = async (path: string, init?: RequestInit) => {
    asked.push([`${init?.method ?? 'GET'} ${path}`, String(init?.body ?? '')]);
    const answer = left.shift();
    if (answer instanceof Error) {
      throw answer;
    }
    return answer;
  };
  const shown = vi.fn();
  return { asked, shown, labs: new Labs(request as LabRequest, shown) };
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

it('starts the page anew once what is in its notebooks is saved', async () => {
  const done: string[] = [];
  vi.stubGlobal('window', { location: { reload: () => done.push('reload') } });
  const execute = async (id: string) => done.push(id);
  await startAnew({ hasCommand: () => true, execute } as unknown as CommandRegistry);
  await startAnew({ hasCommand: () => false, execute } as unknown as CommandRegistry);
  expect(done).toEqual(['docmanager:save-all', 'reload', 'reload']);
  vi.unstubAllGlobals();
});

it('waits for a code, and shows the lab once it was confirmed', async () => {
  const waiting = { ...NOTHING, waiting: CODE };
  const { asked, labs, shown } = server(NOTHING, waiting, waiting, {
    ...NOTHING,
    labs: [FAR],
    current: 'far'
  });
  await labs.load();
  await labs.connect({ url: 'https://far' });
  expect(labs.state?.waiting?.user_code).toBe('BCDF-GHJK');
  await vi.advanceTimersByTimeAsync(2_000);
  expect(shown).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(shown).toHaveBeenCalledOnce();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked.map(([what]) => what)).toEqual(['GET labs', 'POST labs', 'GET labs', 'GET labs']);
});

it('says why a sign-in came to nothing, and asks no more', async () => {
  const { asked, labs } = server(
    { ...NOTHING, waiting: CODE },
    { ...NOTHING, problem: 'The sign-in was refused in the browser.' }
  );
  await labs.connect({ url: 'https://far' });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(labs.problem).toContain('refused in the browser');
  expect(asked).toHaveLength(2);
});

it('asks about an authority, then sends what it was asked about again', async () => {
  const distrust = refusal(400, 'untrusted_certificate', { fingerprint: 'aa', before: null });
  const { asked, labs } = server(distrust, NOTHING);
  const wanted = { url: 'https://far', user: 'ann', password: 'secret' };
  await labs.connect(wanted);
  expect(labs.distrust).toEqual({ wanted, fingerprint: 'aa', before: null });
  expect(labs.problem).toBe('');
  await labs.connect({ ...wanted, fingerprint: 'aa' });
  expect(labs.distrust).toBeNull();
  expect(JSON.parse(asked[1]?.[1] ?? '')).toEqual({ ...wanted, fingerprint: 'aa' });
});

it('an expired certificate is a problem, and nothing to confirm', async () => {
  const { labs } = server(refusal(400, 'untrusted_certificate'));
  await labs.connect({ url: 'https://far' });
  expect(labs.distrust).toBeNull();
  expect(labs.problem).toBe('refused: untrusted_certificate');
});

it('a server that shows its own lab alone is no problem', async () => {
  const { labs } = server(refusal(404, 'no_labs'));
  await labs.load();
  expect([labs.state, labs.problem]).toEqual([null, '']);
});

it('quotes names, and tells the page when another lab is shown', async () => {
  const both = { ...NOTHING, labs: [FAR], current: 'far' };
  const { asked, labs, shown } = server(both, NOTHING, both, NOTHING);
  await labs.load();
  expect(shown).not.toHaveBeenCalled();
  await labs.choose(null);
  await labs.choose('far');
  await labs.disconnect('a/b');
  expect(shown).toHaveBeenCalledTimes(3);
  expect(asked[3]?.[0]).toBe('DELETE labs/a%2Fb');
});

it.each([
  ['https://far/', null, { kind: 'show', name: 'far' }],
  ['https://far/', 'far', { kind: 'none' }],
  ['https://new:8899', 'far', { kind: 'connect', url: 'https://new:8899' }],
  ['http://127.0.0.1:8888', 'far', { kind: 'switch' }],
  ['', 'far', { kind: 'none' }]
])('from a notebook to the lab at %j, while %j is shown', (address, current, way) => {
  expect(wayTo(address, { ...NOTHING, labs: [FAR], current })).toEqual(way);
  expect(wayTo(address, null)).toEqual({ kind: 'none' });
});

it('a job of this server alone is nowhere else', () => {
  expect(wayTo(HERE, NOTHING)).toEqual({ kind: 'none' });
});
