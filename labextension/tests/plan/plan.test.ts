import { nullTranslator } from '@jupyterlab/translation';
import { createElement } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, it } from 'vitest';

import { circuitOf, qpusOf, timesOf } from '../../src/plan/drawn';
import Plan from '../../src/plan/view';
import { figure, planWords, qubitWords } from '../../src/plan/words';
import type { ITools } from '../../src/queue/tools';
import type {
  AttemptModel,
  Fragment,
  FragmentRun,
  Operation,
  PlanModel,
  PlanRun,
  ReservationModel
} from '../../src/wire';

const trans = nullTranslator.load('qpi-jupyter');
const NOW = Date.UTC(2026, 0, 1, 0, 1);
const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + 1000 * seconds).toISOString();

function fragment(index: number, qubits: number[], ...qpus: string[]): Fragment {
  const cost = { esp: 0.9, duration_s: 1, wait_s: 0, load: 0, latency_s: 0, total: 0.1 };
  return {
    index,
    qubits,
    num_qubits: qubits.length,
    num_circuits: 6,
    shots: 1000,
    program_sha256: '',
    choices: qpus.map(qpu => ({ qpu, calibration_id: '', cost }))
  };
}

function operation(name: string, qubits: number[], changes: Partial<Operation> = {}): Operation {
  return { name, qubits, cut: false, fragment: null, cut_wires: [], ...changes };
}

function planned(changes: Partial<PlanModel> = {}): PlanModel {
  return {
    plan_id: 'plan-1',
    owner: 'ada',
    created_at: at(0),
    kind: 'cut',
    num_qubits: 4,
    request: {
      observables: ['ZZZZ'],
      shots: 1000,
      qpus: [],
      min_fidelity: 0.8,
      max_overhead: 81,
      seed: 0,
      deadline_s: null
    },
    circuit_sha256: '',
    fragments: [fragment(0, [0, 1], 'a', 'c'), fragment(1, [2, 3], 'b', 'c')],
    num_cuts: 1,
    overhead: 9,
    cost: 0.42,
    alternatives: [
      { kind: 'whole', width: 4, qpus: [], overhead: 1, cost: null, problem: 'No QPU is so wide.' }
    ],
    weights: {},
    scales: {},
    versions: {},
    operations: [
      operation('h', [0], { fragment: 0 }),
      operation('cx', [2, 3], { fragment: 1 }),
      operation('cz', [1, 2], { cut: true }),
      operation('x', [2], { fragment: 1 })
    ],
    ...changes
  };
}

function reserved(qpu: string, changes: Partial<ReservationModel> = {}): ReservationModel {
  return {
    id: `r-${qpu}`,
    qpu,
    state: 'executed',
    created_at: at(1),
    changed_at: at(5),
    expires_at: at(61),
    esp: 0.9,
    duration_s: 1,
    shot_s: null,
    digest: '',
    calibration_id: '',
    observed_esp: null,
    reason: '',
    ...changes
  };
}

function attempt(number: number, changes: Partial<AttemptModel> = {}): AttemptModel {
  return {
    job_id: 'j',
    attempt: number,
    driver: 'd',
    assigned_at: at(2),
    started_at: at(3),
    ended_at: at(4),
    outcome: 'result_stored',
    busy_s: 1,
    ...changes
  };
}

function running(index: number, qpu: string, changes: Partial<FragmentRun> = {}): FragmentRun {
  return {
    index,
    job_id: `j${index}`,
    qpu,
    status: 'completed',
    phase: 'completed',
    fallback: false,
    below: false,
    reservations: [reserved(qpu)],
    attempts: [attempt(1)],
    esp: 0.9,
    observed_esp: null,
    repeated: false,
    error: null,
    ...changes
  };
}

/** The second fragment was lost with its QPU, and is on its fallback. */
const MOVED: readonly FragmentRun[] = [
  running(0, 'a'),
  running(1, 'c', {
    status: 'running',
    phase: 'running',
    fallback: true,
    below: true,
    esp: 0.7,
    reservations: [
      reserved('b', { state: 'expired', reason: 'The driver of b is gone.', changed_at: at(10) }),
      reserved('c', { state: 'committed', created_at: at(10), changed_at: at(11) })
    ],
    attempts: [
      attempt(1, { ended_at: at(10), outcome: 'interrupted' }),
      attempt(2, { assigned_at: at(12), started_at: at(13), ended_at: null, outcome: '' })
    ]
  })
];

function shown(run: Partial<PlanRun>): string {
  const tools = { trans, manager: { now: () => NOW } } as unknown as ITools;
  const whole = { job_id: 'j', plan: planned(), fragments: [], deadline_at: null, cost_s: 0 };
  return renderToStaticMarkup(createElement(Plan, { run: { ...whole, ...run }, tools }));
}

describe('the circuit of a plan', () => {
  it('has each operation in the first column with room', () => {
    const { operations, columns, hidden } = circuitOf(planned());
    expect(operations.map(({ column }) => column)).toEqual([0, 0, 1, 2]);
    expect([columns, hidden]).toEqual([3, 0]);
  });

  it('is drawn as far as one can see', () => {
    const operations = Array.from({ length: 300 }, () => operation('h', [0]));
    expect(circuitOf(planned({ operations })).hidden).toBe(60);
    expect(circuitOf(planned({ operations: [] })).columns).toBe(1);
  });
});

describe('the times of a plan', () => {
  it('begin with the first place and go on as long as something does', () => {
    const times = timesOf(MOVED, NOW);
    expect(times?.whole).toEqual([Date.parse(at(1)), NOW]);
    expect(times?.going).toBe(true);
    expect(times?.rows[1]?.places.map(({ qpu, end }) => [qpu, end])).toEqual([
      ['b', Date.parse(at(10))],
      ['c', null]
    ]);
    expect(times?.rows[1]?.attempts.map(({ qpu }) => qpu)).toEqual(['b', 'c']);
  });

  it('end where all has ended, and there are none before anything is reserved', () => {
    expect(timesOf([running(0, 'a')], NOW)?.whole).toEqual([Date.parse(at(1)), Date.parse(at(5))]);
    expect(timesOf([running(0, 'a', { reservations: [], attempts: [] })], NOW)).toBeNull();
  });
});

describe('a plan', () => {
  it('keeps the colours of its QPUs whatever happens', () => {
    expect(qpusOf(planned(), [])).toEqual(['a', 'b', 'c']);
    expect(qpusOf(planned(), MOVED)).toEqual(['a', 'b', 'c']);
  });

  it('is told in few words', () => {
    expect(planWords(planned(), 90, trans)).toBe(
      'Cut · 2 fragments · 1 cut · 9 times the shots · 90 s of QPU time'
    );
    const whole = { kind: 'whole', num_cuts: 0, overhead: 1, fragments: [fragment(0, [0], 'a')] };
    expect(planWords(planned(whole as Partial<PlanModel>), 0, trans)).toBe(
      'Whole circuit · 1 fragment'
    );
    expect([qubitWords([3, 0, 1, 2, 7]), qubitWords([4])]).toEqual(['0–3, 7', '4']);
    expect([0.123456, 228_488.2, 9, 1.23e19, null].map(figure)).toEqual([
      '0.123',
      '228,500',
      '9',
      '1.2 × 10^19',
      '—'
    ]);
  });

  it('is shown before it is made, before it runs, and while a fragment is moved', () => {
    expect(shown({ plan: null })).toContain('The circuit is being planned…');
    const before = shown({});
    expect(before).toContain('No places reserved yet.');
    expect(before).toContain('No QPU is so wide.');
    expect(before).toContain('cz, on q1, q2, cut');
    const moved = shown({ fragments: MOVED, deadline_at: at(90) });
    for (const words of [
      'fallback for b',
      'below 0.8',
      'Expired on b, success probability 0.9, The driver of b is gone.',
      'Attempt 1 on b, interrupted',
      'Attempt 2 on c, under way',
      'x, on q2, fragment 1 on c',
      'To be done by'
    ]) {
      expect(moved).toContain(words);
    }
    expect(moved).toContain('data-qpu="2" data-state="going"');
  });

  it('draws where a wire is cut', () => {
    const operations = [
      operation('cx', [0, 1], { fragment: 0 }),
      operation('cx', [1, 2], { fragment: 1, cut_wires: [1] })
    ];
    expect(shown({ plan: planned({ operations }) })).toContain('<title>wire of q1 cut</title>');
    expect(shown({})).not.toContain('wire of');
  });

  it('says of a fragment without a place that it waits', () => {
    const waiting = running(0, 'a', { status: 'pending', phase: 'blocked' });
    expect(shown({ fragments: [waiting] })).not.toContain('Waiting for other jobs');
  });

  it('says why a fragment failed', () => {
    const error = { kind: 'Faulted', code: 'x', message: 'All QPUs were tried.', data: {} };
    const failed = running(0, 'a', { status: 'failed', phase: 'failed', error });
    expect(shown({ fragments: [failed] })).toContain('All QPUs were tried.');
  });
});
