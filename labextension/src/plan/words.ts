import type { TranslationBundle } from '@jupyterlab/translation';

import { span } from '../prospects';
import type { Alternative, PlanModel, ReservationModel } from '../wire';

/** How a circuit is spread, in a few words. */
export function kindWord(kind: Alternative['kind'], trans: TranslationBundle): string {
  const kinds: Record<Alternative['kind'], string> = {
    whole: trans.__('Whole circuit'),
    components: trans.__('Connected components'),
    cut: trans.__('Cut')
  };
  return kinds[kind];
}

/** What a plan comes to. */
export function planWords(plan: PlanModel, cost_s: number, trans: TranslationBundle): string {
  const words = [
    kindWord(plan.kind, trans),
    trans._n('%1 fragment', '%1 fragments', plan.fragments.length),
    plan.num_cuts > 0 ? trans._n('%1 cut', '%1 cuts', plan.num_cuts) : '',
    plan.overhead > 1 ? trans.__('%1 times the shots', figure(plan.overhead)) : '',
    cost_s > 0 ? trans.__('%1 of QPU time', span(cost_s, trans)) : ''
  ];
  return words.filter(Boolean).join(' · ');
}

export function reservationWord(
  state: ReservationModel['state'],
  trans: TranslationBundle
): string {
  const states: Record<ReservationModel['state'], string> = {
    requested: trans.__('Requested'),
    prepared: trans.__('Prepared'),
    committed: trans.__('Committed'),
    executed: trans.__('Executed'),
    rejected: trans.__('Rejected'),
    expired: trans.__('Expired'),
    canceled: trans.__('Cancelled')
  };
  return states[state];
}

/** How an attempt ended; empty while it goes on. */
export function outcomeWord(outcome: string, trans: TranslationBundle): string {
  const outcomes: Readonly<Record<string, string>> = {
    '': trans.__('under way'),
    result_stored: trans.__('completed'),
    errored: trans.__('failed'),
    interrupted: trans.__('interrupted'),
    abandoned: trans.__('interrupted'),
    released: trans.__('given back'),
    aborted: trans.__('stopped'),
    moved: trans.__('moved to another QPU')
  };
  return outcomes[outcome] ?? outcome;
}

/** Qubits as few words: 0–3, 7. */
export function qubitWords(qubits: readonly number[]): string {
  const sorted = [...qubits].sort((a, b) => a - b);
  const runs: [number, number][] = [];
  for (const qubit of sorted) {
    const last = runs.at(-1);
    if (last && qubit === last[1] + 1) {
      last[1] = qubit;
    } else {
      runs.push([qubit, qubit]);
    }
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(', ');
}

/** A figure without a unit in few digits, written out: 0.423, 228,500; from a billion on 1.2 × 10^19. */
export function figure(value: number | null): string {
  if (value === null) {
    return '—';
  }
  const digits = Math.abs(value) < 1 ? 3 : 4;
  return Math.abs(value) < 1e9
    ? value.toLocaleString('en', { maximumSignificantDigits: digits })
    : value.toExponential(1).replace('e+', ' × 10^');
}
