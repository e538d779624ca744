import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';
import {
  accountsOf,
  askedAgain,
  entriesCsv,
  groupOf,
  isCharge,
  isRequest,
  isToken,
  jobOf,
  newestFirst,
  reaches,
  sectionsFor,
  shellLines,
  timeRequestOf,
  tokenOf
} from '../src/account/model';
import { shortLength } from '../src/board/values';
import type { EntryModel, StatementLine, TimeRequestModel } from '../src/wire';
import { event } from './faults';

const trans = nullTranslator.load('qpi-jupyter');
const USER = ['jobs:read', 'jobs:submit', 'time:read', 'time:request', 'tokens', 'profile:edit'];
const NOW = Date.parse('2030-01-01T00:00:00Z');

const entry = (changes: Partial<EntryModel> = {}): EntryModel => ({
  seq: 1,
  at: '2030-01-01T00:00:00Z',
  account: 'ada',
  kind: 'settle',
  amount_s: 1.5,
  person: 'ada',
  qpu: 'sim-a',
  job_id: 'j1',
  attempt: 1,
  reason: '',
  ...changes
});

describe('what one sees', () => {
  it('goes by what one may', () => {
    expect(sectionsFor(USER)).toEqual(['time', 'usage', 'tokens', 'profile']);
    expect(sectionsFor(['jobs:read', 'time:read'])).toEqual(['time', 'usage']);
    expect(sectionsFor(['metrics:read'])).toEqual([]);
  });

  it("is one's own account and those of one's groups", () => {
    expect(accountsOf({ name: 'ada', groups: ['qed', 'a:b'] })).toEqual([
      'ada',
      'group:qed',
      'group:a:b'
    ]);
    expect(['ada', 'group:a:b'].map(groupOf)).toEqual([null, 'a:b']);
  });
});

describe('what the lab tells', () => {
  it('is what concerns the time of accounts', () => {
    expect(isCharge(event({ kind: 'balance.changed' }))).toBe(true);
    expect(isCharge(event({ kind: 'job.changed', data: { ledger: [] } }))).toBe(true);
    expect(isCharge(event({ kind: 'job.progress' }))).toBe(false);
    expect(isRequest(event({ kind: 'time_request.changed' }))).toBe(true);
    expect(isToken(event({ kind: 'token.changed' }))).toBe(true);
  });
});

describe('an amount of time', () => {
  it.each([
    [0, '0 s'],
    [0.00412, '4.12 ms'],
    [-12.345, '−12.35 s'],
    [840, '14 min'],
    [839.98, '14 min'],
    [7200, '2 h'],
    [7199.98, '2 h 0 min'],
    [-75.3, '−1 min 15 s']
  ])('%d s is short to read', (value, text) => {
    expect(shortLength(value, trans)).toBe(text);
  });
});

describe('a request for time', () => {
  it('is for oneself, or for a group', () => {
    const values = { seconds: '1.5 h', reason: ' last figure ' };
    const asked = { seconds: 5400, reason: 'last figure' };
    expect(timeRequestOf(values, trans)).toEqual(asked);
    expect(timeRequestOf({ ...values, group: 'qed' }, trans)).toEqual({ ...asked, group: 'qed' });
  });

  it.each(['', 'an hour', '0 s', '-5 min', '99999999 h'])('of “%s” is none', seconds => {
    expect(() => timeRequestOf({ seconds }, trans)).toThrow(/as a length of time|more than 0 s/);
  });

  it('is asked again as it was', () => {
    const asked = { account: 'group:qed', seconds: 60, reason: 'why' } as TimeRequestModel;
    expect(askedAgain(asked)).toEqual({ seconds: 60, reason: 'why', group: 'qed' });
    expect(askedAgain({ ...asked, account: 'ada' })).toMatchObject({ group: null });
  });
});

describe('a token', () => {
  it('can be given what one may oneself', () => {
    expect(reaches(USER)).toEqual(['read', 'submit', 'all']);
    expect(reaches([...USER, 'people:manage'])).toEqual(['read', 'submit', 'manage']);
    expect(reaches(['jobs:read', 'tokens'])).toEqual(['read', 'all']);
  });

  it('ends when chosen, by the clock of the lab', () => {
    const values = { name: 'night run', days: '7', read: true, submit: true };
    expect(tokenOf(values, NOW, trans)).toEqual({
      name: 'night run',
      scopes: ['read', 'submit'],
      expires_at: '2030-01-08T00:00:00.000Z'
    });
    expect(tokenOf({ ...values, days: '' }, NOW, trans).expires_at).toBeNull();
  });

  it('may everything only where that was chosen', () => {
    expect(tokenOf({ name: 'x', read: true, all: true }, NOW, trans).scopes).toBeNull();
    expect(() => tokenOf({ name: 'x', read: false }, NOW, trans)).toThrow('at least one');
  });

  it('is used by two lines', () => {
    expect(shellLines('http://127.0.0.1:8888/', 'qpi_abc')).toBe(
      "export QPI_LAB_URL='http://127.0.0.1:8888/'\nexport QPI_LAB_TOKEN='qpi_abc'"
    );
  });
});

describe('the statement', () => {
  it('has the newest month first, and its QPUs as they come', () => {
    const lines = ['2029-12 a', '2030-01 a', '2030-01 b'].map(line => {
      const [month = '', qpu = ''] = line.split(' ');
      return { month, qpu } as StatementLine;
    });
    expect(newestFirst(lines).map(({ month, qpu }) => `${month} ${qpu}`)).toEqual([
      '2030-01 a',
      '2030-01 b',
      '2029-12 a'
    ]);
  });
});

describe('the ledger', () => {
  it('names the job whose cost a line is', () => {
    expect(jobOf(entry())).toBe('j1');
    expect(jobOf(entry({ attempt: 0, job_id: 'ses-1' }))).toBeNull();
    expect(jobOf(entry({ kind: 'grant', attempt: null, job_id: null }))).toBeNull();
  });

  it('is a table in which nothing is a formula', () => {
    const lines = [
      entry({ amount_s: -2 }),
      entry({ kind: 'grant', job_id: null, attempt: null, qpu: null, reason: '=1+1, "so"\nthere' })
    ];
    expect(entriesCsv(lines).split('\r\n')).toEqual([
      'at,kind,amount_s,account,person,qpu,job_id,attempt,reason',
      '2030-01-01T00:00:00Z,settle,-2,ada,ada,sim-a,j1,1,',
      '2030-01-01T00:00:00Z,grant,1.5,ada,ada,,,,"\'=1+1, ""so""\nthere"',
      ''
    ]);
  });
});
