import { nullTranslator } from '@jupyterlab/translation';
import { createElement } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { IExperiment } from '../../src/drawings';
import { axisOf, ticks } from '../../src/queue/axes';
import { BARS, bars, countsCsv } from '../../src/queue/counts';
import { Provenance } from '../../src/queue/facts';
import { layers, planeOf, pointDrawings, toldOf } from '../../src/queue/iq';
import { JobDetail, TOLD } from '../../src/queue/jobmodel';
import { resubmission, suffixOf, unpack } from '../../src/queue/program';
import { attempts, ledger, story } from '../../src/queue/story';
import type { ITools } from '../../src/queue/tools';
import type { ILabManager } from '../../src/tokens';
import type { LabEvent } from '../../src/wire';
import { job, me, event as said } from '../faults';
import { numbered, QueueLab } from './lab';

const trans = nullTranslator.load('qpi-jupyter');

function packed(...texts: string[]): ArrayBuffer {
  const parts = texts.map(text => new TextEncoder().encode(text));
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + 8 + part.length, 0));
  let at = 0;
  for (const part of parts) {
    new DataView(whole.buffer).setBigUint64(at, BigInt(part.length));
    whole.set(part, at + 8);
    at += 8 + part.length;
  }
  return whole.buffer;
}

const event = (seq: number, kind: LabEvent['kind'], data: object): LabEvent =>
  said({
    seq,
    prev: seq - 1,
    at: `2026-01-01T00:00:0${seq}Z`,
    kind,
    job_id: 'j1',
    qpu: 'sim-a',
    data
  });

describe('a program', () => {
  it('comes out of its bytes as it went in', () => {
    const texts = ['OPENQASM 3.0;', '', 'π'];
    expect(unpack(packed(...texts)).map(part => new TextDecoder().decode(part))).toEqual(texts);
  });

  it('is refused where it was cut', () => {
    expect(() => unpack(packed('OPENQASM 3.0;').slice(0, -1))).toThrow(RangeError);
    expect(() => unpack(packed('x').slice(0, 5))).toThrow(RangeError);
  });

  it('is submitted again as it was sent, in base64', () => {
    const provenance = {
      program_sha256: '',
      options: { shots: 7 },
      result: null,
      not_applied: []
    };
    const text = resubmission(job({ account: 'group:qed' }), provenance, unpack(packed('x')));
    expect(text.program).toEqual({ format: 'openqasm3', data: ['eA=='] });
    expect([text.options, text.group]).toEqual([{ shots: 7 }, 'qed']);
    const qpy = resubmission(job({ format: 'qpy' }), provenance, [new Uint8Array([0, 255])]);
    expect(qpy.program).toEqual({ format: 'qpy', data: ['AP8='] });
  });
});

describe('the plan of a job', () => {
  it('is asked for where the job is the first of its family, until the lab says that there is none', async () => {
    const lab = new QueueLab();
    lab.jobs = [numbered(1, { family: 'j1' }), numbered(2, { family: 'j1' })];
    const file = async () => new Blob([packed('x')]);
    const [first, second] = ['j1', 'j2'].map(id => new JobDetail(id, lab.manager, file));
    await first?.refresh();
    await second?.refresh();
    expect(lab.asked.filter(line => line.endsWith('/plan'))).toEqual(['GET jobs/j1/plan']);
    expect([first?.state.plan, second?.state.plan]).toEqual([lab.plan, null]);
    lab.plan = null;
    await first?.refresh();
    await first?.refresh();
    expect(lab.asked.filter(line => line.endsWith('/plan'))).toHaveLength(2);
    expect([first?.state.plan, first?.state.problem]).toEqual([null, null]);
    first?.dispose();
    second?.dispose();
  });
});

describe('the provenance of a job', () => {
  const shown = (not_applied: string[]) => {
    const provenance = { program_sha256: 'abc', options: {}, result: null, not_applied };
    const tools = { trans, manager: { now: () => 0 } } as unknown as ITools;
    return renderToStaticMarkup(createElement(Provenance, { job: job(), provenance, tools }));
  };

  it('names the options of IBM’s client that were not applied, if there are any', () => {
    const [named, plain] = [shown(['twirling.enable_gates', 'experimental']), shown([])];
    expect(named).toContain(
      '<dt>Options not applied</dt><dd>twirling.enable_gates, experimental</dd>'
    );
    expect(plain).toContain('<dd>abc</dd>');
    expect(plain).not.toContain('not applied');
  });
});

describe('a file of a program', () => {
  const program = {
    circuits: [],
    total: 0,
    problem: '',
    as_sent: false,
    language: '',
    suffix: '.qpy'
  };

  it('is saved as what it is', () => {
    expect(suffixOf(program, new TextEncoder().encode('QISKIT'))).toBe('.qpy');
    expect(suffixOf(program, new Uint8Array([0x1f, 0x8b, 8]))).toBe('.qpy.gz');
    expect(suffixOf(program, new Uint8Array())).toBe('.qpy');
  });
});

describe('points of a level-1 result', () => {
  const planeOfBit = (experiment: IExperiment, bit: number) => {
    const found = pointDrawings(experiment).find(({ label }) => label === `Classical bit ${bit}`);
    return found ? planeOf(found) : null;
  };
  const experiment = (meas_return: string, memory: unknown) => ({
    kind: 'points',
    meas_level: 1,
    meas_return,
    truncated: false,
    data: { memory },
    header: { memory_slots: 2 }
  });

  it('are those of one classical bit, in a square that holds them all', () => {
    const shots = [
      [
        [0, 0],
        [1, 2]
      ],
      [
        [0, 0],
        [3, -4]
      ],
      [
        [0, 0],
        [2, 0]
      ]
    ];
    const plane = planeOfBit(experiment('single', shots), 1);
    expect(plane?.points).toEqual([
      [1, 2],
      [3, -4],
      [2, 0]
    ]);
    expect([plane?.centre, plane?.averaged, plane?.total]).toEqual([[2, -1], false, 3]);
    expect(plane?.reach).toBeCloseTo(3.24);
  });

  it('are told with the number of those that are drawn', () => {
    const iq = { draw: 'iq', label: 'q0', i: [0, 1], q: [0, 1], bits: [0, 1], fidelity: null };
    const line = {
      centres: [
        [0, 0],
        [1, 1]
      ],
      line: [
        [0, 1],
        [1, 0]
      ],
      averaged: false,
      units: ''
    };
    const told = (total: number) => {
      const plane = planeOf({ ...iq, ...line, total });
      return plane && toldOf(plane, trans);
    };
    expect(told(2)).toBe('2 shots; 1 read as 1, beyond the dashed threshold.');
    expect(told(4)).toBe(
      '4 shots, 2 of them drawn; 1 of these read as 1, beyond the dashed threshold.'
    );
  });

  it('are one point where the shots were averaged', () => {
    const plane = planeOfBit(
      experiment('avg', [
        [3, 4],
        [1, 1]
      ]),
      0
    );
    expect([plane?.points, plane?.averaged, plane?.reach]).toEqual([[[3, 4]], true, 2.5]);
  });

  it('are drawn in part where they are very many', () => {
    const shots = Array.from({ length: 10_000 }, (_, n) => [[n, 0]]);
    const plane = planeOfBit(experiment('single', shots), 0);
    expect([plane?.total, plane?.points.length]).toEqual([10_000, 3334]);
  });

  it('are told apart, with the threshold, where the driver says so', () => {
    const drawing = {
      draw: 'iq',
      label: 'q0',
      i: [0, 1, null],
      q: [0, 1, 2],
      bits: [0, 1, 1],
      total: 3,
      centres: [
        [0, 0],
        [4, 0]
      ],
      line: [
        [2, -1],
        [2, 1]
      ],
      fidelity: 0.99
    };
    const plane = planeOf(drawing);
    expect([plane?.points.length, plane?.bits, plane?.fidelity]).toEqual([2, [0, 1], 0.99]);
    expect([plane?.threshold?.line, plane?.centre]).toEqual([drawing.line, [2, 0.5]]);
    const one = { ...drawing, centres: [drawing.centres[0], drawing.centres[0]] };
    expect([planeOf(one)?.threshold, planeOf(one)?.fidelity]).toEqual([null, null]);
    expect(planeOf({ ...drawing, line: 'none', centres: [[null, 0], [4]] })?.threshold).toBeNull();
  });

  it('have round numbers at their axes', () => {
    expect(ticks([2, 2])).toEqual([2]);
    const said = (label: string, from: number, to: number) => {
      const axis = axisOf(label, [from, to]);
      return [axis.label, axis.ticks.map(({ text }) => text).join(' ')];
    };
    expect(said('Delay (s)', 0, 3e-8)).toEqual(['Delay (ns)', '0 5 10 15 20 25 30']);
    expect(said('Frequency (Hz)', 5e9, 5.0002e9)).toEqual([
      'Frequency (GHz)',
      '5 5.00005 5.0001 5.00015 5.0002'
    ]);
    expect(said('amp', 0, 4e-6)).toEqual(['amp (10^-6)', '0 1 2 3 4']);
    expect(said('f(x) (rad)', 0, 0.5)).toEqual(['f(x) (rad)', '0 0.1 0.2 0.3 0.4 0.5']);
    expect(said('Point', 7, 7)).toEqual(['Point', '7']);
    expect(said('Zero', 0, 0)).toEqual(['Zero', '0']);
    expect(ticks([-1.2, 1.1])).toEqual([-1, -0.5, 0, 0.5, 1]);
    expect(ticks([0, 0.00042])).toHaveLength(5);
    expect(ticks([3e6, 3.5e6])).toEqual([3e6, 3.1e6, 3.2e6, 3.3e6, 3.4e6, 3.5e6]);
  });

  it('lie in layers, each point in one', () => {
    const points = Array.from({ length: 37 }, (_, n) => [n, -n] as const);
    expect(layers(points)).toHaveLength(16);
    expect(
      layers(points)
        .flat()
        .sort((a, b) => a[0] - b[0])
    ).toEqual(points);
    expect(layers(points.slice(0, 2))).toEqual([[points[0]], [points[1]]]);
  });

  it('are none at level 2, or where the result had no room for them', () => {
    expect(planeOfBit({ ...experiment('single', []), meas_level: 2 }, 0)).toBeNull();
    expect(planeOfBit(experiment('single', undefined), 0)).toBeNull();
    expect(planeOfBit(experiment('single', [['x']]), 0)).toBeNull();
  });
});

describe('counts', () => {
  it('are bars in the order of the outcomes', () => {
    expect(bars({ '11': 3, '00': 1 })).toEqual([
      { outcome: '00', count: 1, share: 0.25, outcomes: 1 },
      { outcome: '11', count: 3, share: 0.75, outcomes: 1 }
    ]);
  });

  it('are summed where they are too many to show', () => {
    const many = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`${n}`, n + 1]));
    const shown = bars(many);
    expect(shown).toHaveLength(BARS + 1);
    expect(shown.at(-1)).toMatchObject({ outcome: null, outcomes: 8, count: 36 });
    expect(shown.reduce((sum, bar) => sum + bar.count, 0)).toBe(820);
  });

  it('are a table with a line for each', () => {
    expect(countsCsv([{ '0 1': 2 }, { '1': 3 }])).toBe('circuit,outcome,count\n0,0 1,2\n1,1,3\n');
  });
});

describe("a job's story", () => {
  const events = [
    event(1, 'job.submitted', {
      owner: 'ada',
      phase: 'queued',
      ledger: [{ kind: 'hold', amount_s: -2, account: 'ada' }]
    }),
    event(2, 'job.changed', { phase: 'assigned', attempt: 1, driver_name: 'fridge' }),
    event(3, 'job.changed', { phase: 'running', attempt: 1, driver_name: 'fridge' }),
    event(4, 'job.progress', { phase: 'running', attempt: 1, progress: 0.5 }),
    event(5, 'job.changed', { phase: 'lost', attempt: 1, driver_name: 'fridge' }),
    event(6, 'job.changed', { phase: 'queued', attempt: 1 }),
    event(7, 'job.changed', { phase: 'assigned', attempt: 2, driver_name: 'spare' }),
    event(8, 'job.changed', { phase: 'failed', attempt: 2, error: { message: 'No signal.' } })
  ];

  it('is told in words', () => {
    expect(story(events, trans).map(item => item.text)).toEqual([
      'ada submitted it to sim-a.',
      'Assigned to fridge (attempt 1).',
      'Attempt 1 started.',
      'Lost contact with fridge; waiting for its result.',
      'Attempt 1 ended without a result; queued again.',
      'Assigned to spare (attempt 2).',
      'Failed: No signal.'
    ]);
  });

  it('has its attempts and its costs', () => {
    expect(attempts(events, trans)).toMatchObject([
      { number: 1, driver: 'fridge', outcome: 'No result', began: events[2]?.at },
      { number: 2, driver: 'spare', outcome: 'Failed', began: null }
    ]);
    expect(ledger(events)).toEqual([
      { at: events[0]?.at, kind: 'hold', amount_s: -2, account: 'ada' }
    ]);
  });
});

describe("a family's story", () => {
  it('is one, and each job goes its own way', () => {
    const of = (job_id: string, seq: number, kind: LabEvent['kind'], data: object) => ({
      ...event(seq, kind, data),
      job_id
    });
    const events = [
      of('j1', 1, 'job.submitted', { owner: 'ada', phase: 'queued' }),
      of('j2', 2, 'job.submitted', { owner: 'ada', phase: 'blocked', waits_for: 1 }),
      of('j3', 3, 'job.submitted', { owner: 'ada', phase: 'blocked', waits_for: 2 }),
      of('j1', 4, 'job.changed', { phase: 'completed' }),
      of('j2', 5, 'job.changed', { phase: 'queued' }),
      of('j3', 6, 'job.changed', { phase: 'blocked', waits_for: 1 }),
      of('j2', 7, 'job.changed', { phase: 'cancelling', error: { message: 'Job j9 was.' } })
    ] as LabEvent[];
    expect(story(events, trans).map(item => [item.job, item.text])).toEqual([
      ['j1', 'ada submitted it to sim-a.'],
      ['j2', 'ada submitted it to sim-a, to run after 1 job.'],
      ['j3', 'ada submitted it to sim-a, to run after 2 jobs.'],
      ['j1', 'Completed.'],
      ['j2', 'All jobs that it waited for have completed; queued.'],
      ['j3', 'A job that it waits for has completed; 1 to go.'],
      ['j2', 'Cancelling: Job j9 was.']
    ]);
  });
});

describe('JobDetail', () => {
  let lab: QueueLab;
  let model: JobDetail;

  beforeEach(async () => {
    vi.useFakeTimers();
    lab = new QueueLab(2);
    const file = async () => new Blob([packed('OPENQASM 3.0;')]);
    model = new JobDetail('j1', lab.manager, file);
    await model.refresh();
  });

  afterEach(() => {
    model.dispose();
    vi.useRealTimers();
  });

  const fetches = () => lab.asked.filter(line => line === 'GET jobs/j1').length;

  it('has the job, its program and who looks', () => {
    const { job: shown, sources, problem } = model.state;
    expect([shown?.id, sources?.length, problem]).toEqual(['j1', 1, null]);
    expect(model.editable).toBe(true);
  });

  it('follows its own events with one refetch for many', async () => {
    const before = fetches();
    for (const seq of [1, 2, 3]) {
      lab.say({ seq, job_id: 'j1', data: { phase: 'running', version: 1 + seq } });
    }
    expect(model.state.job?.phase).toBe('running');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(fetches()).toBe(before + 1);
  });

  it('looks at its place again when another job of its QPU moved on', async () => {
    const before = fetches();
    lab.say({ seq: 1, job_id: 'j2', qpu: 'sim-b' });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(fetches()).toBe(before);
    lab.say({ seq: 2, job_id: 'j2', qpu: 'sim-a' });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(fetches()).toBe(before + 1);
  });

  it('asks again when the lab is back, and is not taken back by an older answer', async () => {
    lab.say({ seq: 1, job_id: 'j1', data: { phase: 'running', version: 9 } });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(model.state.job?.version).toBe(9); // the lab's answer still has version 1
    const before = fetches();
    await lab.back();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(fetches()).toBe(before + 1);
  });

  it('hears what its new family does while it asks which one that is', async () => {
    const of = (seq: number, kind: LabEvent['kind'], phase: string) =>
      lab.say({ seq, kind, job_id: 'j2', qpu: 'sim-b', data: { family: 'j1', phase } as never });
    lab.jobs = lab.jobs.map(one => ({ ...one, family: 'j1' }));
    lab.latency = 40;
    of(1, 'job.submitted', 'queued');
    await vi.advanceTimersByTimeAsync(60);
    expect(model.state.family).toBeNull();
    of(2, 'job.changed', 'completed');
    const asked = () => lab.asked.filter(line => line === 'GET jobs/j1/family').length;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(asked()).toBe(2);
  });

  it('has its family, and looks at it again when one of it moved on or joins', async () => {
    expect(model.state.family).toBeNull();
    const fetched = () => lab.asked.filter(line => line === 'GET jobs/j1/family').length;
    lab.jobs = lab.jobs.map(one => ({ ...one, family: 'j1' }));
    lab.say({ seq: 1, kind: 'job.submitted', job_id: 'j2', qpu: 'sim-b', data: { family: 'j1' } });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(model.state.family?.jobs.map(({ id }) => id)).toEqual(['j2', 'j1']);
    expect(model.state.events.map(({ job_id }) => job_id)).toEqual(['j2']);
    const before = fetched();
    lab.say({ seq: 2, kind: 'job.changed', job_id: 'j2', qpu: 'sim-b', data: { family: 'j1' } });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(fetched()).toBe(before + 1);
    lab.say({ seq: 3, kind: 'job.changed', job_id: 'j9', qpu: 'sim-b', data: { family: 'j8' } });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(fetched()).toBe(before + 1);
  });

  it('tells its own story where its family is large', async () => {
    const family = 'j1';
    lab.jobs = Array.from({ length: TOLD + 2 }, (_, n) => numbered(n + 1, { family }));
    await model.refresh();
    expect(model.state.family?.jobs).toHaveLength(TOLD + 2);
    expect(lab.asked).not.toContain('GET jobs/j1/events?family=true');
    lab.jobs = lab.jobs.slice(0, TOLD);
    await model.refresh();
    expect(lab.asked).toContain('GET jobs/j1/events?family=true');
  });

  it('says that it was deleted, and why it cannot be had', async () => {
    lab.say({ seq: 1, kind: 'job.deleted', job_id: 'j1' });
    expect(model.state.deleted).toBe(true);
    lab.jobs = [numbered(2)];
    await model.refresh();
    expect(model.state.problem).toBe('There is no job j1.');
  });

  it('is not to be changed by somebody else, but by a manager', async () => {
    lab.jobs = [numbered(1, { owner: 'bob' })];
    await model.refresh();
    expect(model.editable).toBe(false);
    lab.state = { ...lab.state, me: { ...me(), permissions: ['jobs:edit:any'] } };
    const managers = new JobDetail('j1', lab.manager, async () => new Blob([]));
    await managers.refresh();
    expect(managers.editable).toBe(true);
    managers.dispose();
  });
});

describe('what a running job has measured', () => {
  const partial = (changes: object) => ({
    status: 'running',
    attempt: 1,
    version: 0,
    measured: 0,
    circuits: 3,
    drawings: [],
    have: 0,
    chunks: [],
    ...changes
  });

  it('is told whenever there is more, until the attempt has ended', async () => {
    const answers = [
      partial({ version: 5, measured: 1 }),
      partial({ version: 9, measured: 2 }),
      partial({ status: 'completed' })
    ];
    const asked: string[] = [];
    const request = async (path: string) => {
      asked.push(path);
      return answers.shift();
    };
    const manager = { follow: () => () => undefined, request } as unknown as ILabManager;
    const detail = new JobDetail('j1', manager, async () => new Blob());
    const heard: number[] = [];
    await detail.follow(({ measured }) => heard.push(measured), new AbortController().signal);
    expect(heard).toEqual([1, 2]);
    expect(asked.map(path => new URL(path, 'http://lab/').searchParams.get('version'))).toEqual([
      '0',
      '5',
      '9'
    ]);
  });

  it('is not asked for once nobody looks', async () => {
    const left = new AbortController();
    const request = async () => {
      left.abort();
      return partial({ version: 5, measured: 1 });
    };
    const manager = { follow: () => () => undefined, request } as unknown as ILabManager;
    const detail = new JobDetail('j1', manager, async () => new Blob());
    const heard: number[] = [];
    await detail.follow(({ measured }) => heard.push(measured), left.signal);
    expect(heard).toEqual([]);
  });
});
