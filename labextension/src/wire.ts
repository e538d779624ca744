// Written by `make generate` from qpi_jupyter/wire: change that, not this.

/** The schema of the lab's events on Jupyter's event bus. */
export const LAB_EVENTS = 'https://schema.qpi-jupyter.org/lab/v1';

/** What a waiting job waits for. `about_at` is when that is expected to end, where it can be known. */
export interface WaitReason {
  readonly rule: string;
  readonly message: string;
  readonly position: number | null;
  readonly since_at: string | null;
  readonly about_at: string | null;
  readonly error_s: number | null;
}

/** Why a job failed; `line` and `column` (from 1) are in `data` for a bad circuit. */
export interface JobError {
  readonly kind: string;
  readonly code: string;
  readonly message: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The stored dataset: its size in bytes and its SHA-256. */
export interface DatasetInfo {
  readonly sha256: string;
  readonly bytes: number;
}

/** One job, as its owner sees it. `version` grows with every change, progress included. */
export interface JobModel {
  readonly id: string;
  readonly version: number;
  readonly owner: string;
  readonly status: 'cancelled' | 'completed' | 'failed' | 'pending' | 'running';
  readonly phase: 'assigned' | 'cancelled' | 'cancelling' | 'completed' | 'failed' | 'lost' | 'queued' | 'running';
  readonly qpu: string | null;
  readonly name: string;
  readonly tags: readonly string[];
  readonly priority: number;
  readonly attempt: number;
  readonly checked: boolean;
  readonly progress: number;
  readonly format: 'openqasm2' | 'openqasm3' | 'qpy' | 'quantify-schedule';
  readonly num_circuits: number;
  readonly shots: number;
  readonly submitted_at: string;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly estimate_s: number | null;
  readonly upper_s: number | null;
  readonly busy_s: number | null;
  readonly reason: WaitReason | null;
  readonly error: JobError | null;
  readonly dataset: DatasetInfo | null;
  readonly origin: Readonly<Record<string, unknown>>;
  readonly retry_safe: boolean;
  readonly project: string;
  readonly account: string;
  readonly shared_with: string | null;
  readonly counts: readonly Readonly<Record<string, number>>[] | null;
}

/**
 * Newest first; `next` goes into `?after=` for the page that follows. A page may be shorter than
 * was asked     for, even empty: only without `next` it is the last.
 */
export interface JobPage {
  readonly jobs: readonly JobModel[];
  readonly next: string | null;
  readonly total: number | null;
}

/** One QPU in a list. */
export interface QpuModel {
  readonly name: string;
  readonly kind: 'device' | 'pool';
  readonly status: 'disabled' | 'maintenance' | 'offline' | 'online';
  readonly simulator: boolean;
  readonly executor: string;
  readonly num_qubits: number;
  readonly places: number;
  readonly queued: number;
  readonly running: number;
  readonly description: string;
}

export interface QpuList {
  readonly qpus: readonly QpuModel[];
}

/** Every error of the native surface: `{"error": {...}}`. */
export interface ErrorBody {
  readonly error: JobError;
}
