import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';

import { calledIn, cancelledWith, relation } from '../../src/queue/family';
import type { FamilyJob } from '../../src/wire';

const trans = nullTranslator.load('qpi-jupyter');

function member(id: string, changes: Partial<FamilyJob> = {}): FamilyJob {
  const [status, phase] = ['pending', 'blocked'] as const;
  return { id, name: '', qpu: 'sim-a', status, phase, parent: null, after: [], ...changes };
}

describe('a family', () => {
  it('calls its jobs by their names where these tell them apart', () => {
    const jobs = [
      member('j1', { name: 'one' }),
      member('j2', { name: 'two' }),
      member('j3', { name: 'two' }),
      member('j4')
    ];
    expect([...calledIn({ jobs, cost_s: null })]).toEqual([
      ['j1', 'one'],
      ['j2', 'j2'],
      ['j3', 'j3'],
      ['j4', 'j4']
    ]);
    expect(calledIn(null).size).toBe(0);
  });

  it('says what each is to the one that is looked at', () => {
    const job = member('j3', { after: ['j1', 'j2'], parent: 'j5' });
    const words = [
      member('j1'),
      member('j2', { parent: 'j3' }),
      job,
      member('j4', { after: ['j3'] }),
      member('j5', { after: ['j3'] }),
      member('j6', { after: ['j1'] })
    ].map(other => relation(job, other, trans));
    expect(words).toEqual([
      'runs before this job',
      'part of this job',
      'this job',
      'runs after this job',
      'parent of this job',
      ''
    ]);
  });

  it('knows what is cancelled with some of its jobs', () => {
    const jobs = [
      member('j1', { phase: 'running', status: 'running' }),
      member('j2', { after: ['j1'] }),
      member('j3', { phase: 'queued', parent: 'j4' }),
      member('j4', { after: ['j2', 'j3'] }),
      member('j5', { after: ['j1'], phase: 'failed', status: 'failed' }),
      member('j6', { phase: 'queued' })
    ];
    const others = (...ids: string[]) =>
      cancelledWith({ jobs, cost_s: null }, new Set(ids)).map(job => job.id);
    expect(others('j1')).toEqual(['j2', 'j3', 'j4']);
    expect(others('j1', 'j2')).toEqual(['j3', 'j4']);
    expect(others('j4')).toEqual(['j3']);
    expect(others('j5')).toEqual([]);
    expect(others('j6')).toEqual([]);
  });
});
