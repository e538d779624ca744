import { placed } from '../queue/circuit';
import type { AttemptModel, FragmentRun, Operation, PlanModel, ReservationModel } from '../wire';

/** Colours there are; further QPUs share them, and are told apart by their names. */
export const COLORS = 8;
/** Operations that are drawn. */
const MOST = 240;

/** An operation in the drawing of a plan. */
export interface IPlacedOperation extends Operation {
  readonly column: number;
}

export interface ICircuit {
  readonly operations: readonly IPlacedOperation[];
  readonly columns: number;
  /** How many more the plan has, which itself has no more than the first of a long circuit. */
  readonly hidden: number;
}

/** The plan's circuit, each operation in the first column with room for it. */
export function circuitOf(plan: PlanModel): ICircuit {
  const shown = plan.operations.slice(0, MOST).filter(({ qubits }) => qubits.length > 0);
  const steps = shown.map(({ name, qubits }) => ({
    wires: qubits,
    controls: 0,
    label: name,
    text: name
  }));
  const { steps: columns, columns: count } = placed(steps, plan.num_qubits);
  return {
    operations: shown.map((operation, n) => ({
      ...operation,
      column: columns[n]?.column ?? 0
    })),
    columns: Math.max(1, count),
    hidden: plan.operations.length - shown.length
  };
}

/** The QPUs of a plan in one order, whatever happens to it: those that were chosen, then the fallbacks. */
export function qpusOf(plan: PlanModel, runs: readonly FragmentRun[]): readonly string[] {
  const first = plan.fragments.flatMap(({ choices }) => choices.slice(0, 1));
  const all = [...first, ...plan.fragments.flatMap(({ choices }) => choices)].map(one => one.qpu);
  const used = runs.flatMap(({ reservations }) => reservations.map(one => one.qpu));
  return [...new Set([...all, ...used])];
}

/** A time during which something was so; the end is null while it is. */
export interface IBar {
  readonly key: string;
  readonly qpu: string;
  readonly start: number;
  readonly end: number | null;
  readonly of: ReservationModel | AttemptModel;
}

/** The times of a fragment: its places, and what its drivers did there. */
export interface IRow {
  readonly run: FragmentRun;
  readonly places: readonly IBar[];
  readonly attempts: readonly IBar[];
}

export interface ITimes {
  readonly rows: readonly IRow[];
  /** The first and the last moment (ms). */
  readonly whole: readonly [number, number];
  /** Whether something has not ended. */
  readonly going: boolean;
}

/** Whether a place may still change; the lab's word is `ENDED` in qpi_jupyter/core/reservations.py. */
const OPEN: Readonly<Record<ReservationModel['state'], boolean>> = {
  requested: true,
  prepared: true,
  committed: true,
  executed: false,
  rejected: false,
  expired: false,
  canceled: false
};

/** When what happened to the fragments of a plan, as of now; null before anything has. */
export function timesOf(runs: readonly FragmentRun[], now: number): ITimes | null {
  const rows = runs.map(run => ({ run, places: places(run), attempts: attempts(run) }));
  const bars = rows.flatMap(row => [...row.places, ...row.attempts]);
  if (bars.length === 0) {
    return null;
  }
  const going = bars.some(({ end }) => end === null);
  const start = Math.min(...bars.map(bar => bar.start));
  const end = Math.max(...bars.map(bar => bar.end ?? Math.max(now, bar.start)));
  return { rows, whole: [start, Math.max(end, start + 1)], going };
}

function places({ reservations }: FragmentRun): IBar[] {
  return reservations.map(one => ({
    key: one.id,
    qpu: one.qpu,
    start: Date.parse(one.created_at),
    end: OPEN[one.state] ? null : Date.parse(one.changed_at),
    of: one
  }));
}

/** An attempt is on the QPU of the place that the fragment had when it began. */
function attempts({ attempts, qpu, reservations }: FragmentRun): IBar[] {
  return attempts.map(one => {
    const start = Date.parse(one.started_at ?? one.assigned_at);
    const there = reservations.filter(place => Date.parse(place.created_at) <= start).at(-1);
    return {
      key: `${one.job_id}-${one.attempt}`,
      qpu: there?.qpu ?? qpu,
      start,
      end: one.ended_at === null ? null : Date.parse(one.ended_at),
      of: one
    };
  });
}
