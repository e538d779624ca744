import type { TranslationBundle } from '@jupyterlab/translation';

import { qpuState } from '../states';
import type { Advertisement } from '../wire';

/** Whether a job would start there now, in a word, and how that stands out. */
export function availability(qpu: Advertisement, trans: TranslationBundle): [string, string] {
  if (qpu.stale) {
    return [trans.__('No heartbeat'), 'offline'];
  }
  const words: Record<Advertisement['availability'], [string, string]> = {
    available: [trans.__('Available'), 'online'],
    busy: [trans.__('Busy'), 'pending'],
    unavailable: [trans.__('Unavailable'), 'disabled']
  };
  return words[qpu.availability];
}

/** Why it is as it is, as far as somebody or something said so; empty where there is nothing to say. */
export function why(qpu: Advertisement, trans: TranslationBundle): string {
  const state = qpu.status === 'online' ? '' : qpuState(qpu, trans)[0];
  return [state, qpu.reason, qpu.problem].filter(Boolean).join(': ');
}

/** How many qubits it has; empty before its driver has said so. */
export function size(qpu: Advertisement, trans: TranslationBundle): string {
  return qpu.num_qubits > 0 ? trans._n('%1 qubit', '%1 qubits', qpu.num_qubits) : '';
}

/** How far the lab trusts a QPU (the kernel's words are in qpi_jupyter/client/services.py). */
export function trust(qpu: Advertisement, trans: TranslationBundle): [string, string] {
  const words: Record<Advertisement['trust'], [string, string]> = {
    platform_managed: [trans.__('Managed by the lab'), 'online'],
    user_contributed: [trans.__('Contributed'), 'approved'],
    public_untrusted: qpu.pending
      ? [trans.__('Waiting for approval'), 'pending']
      : [trans.__('Not approved'), 'rejected'],
    quarantined: [trans.__('In quarantine'), 'disabled']
  };
  return words[qpu.trust];
}

/** A probability with the figures that one compares; a dash where nothing is known. */
export function fidelity(value: number | null): string {
  return value === null ? '–' : value.toFixed(value > 0.99 && value < 1 ? 4 : 3);
}

/** A round trip; a dash where none was measured. */
export function latency(seconds: number | null): string {
  if (seconds === null) {
    return '–';
  }
  return seconds < 1 ? `${Number((seconds * 1e3).toPrecision(2))} ms` : `${seconds.toFixed(1)} s`;
}

/** The action that brings a QPU back to the tier that it has now. */
export function undoing(qpu: Advertisement): 'approve' | 'quarantine' | 'reject' {
  if (qpu.trust === 'quarantined') {
    return 'quarantine';
  }
  return qpu.trust === 'public_untrusted' ? 'reject' : 'approve';
}
