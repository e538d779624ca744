import type { JobOutput, OutputJob } from '../wire';

/** Longer texts are cut: they come out of a file that anybody may have written. */
const LONGEST = 4_000;
/** So many drawings, and QPUs, are looked at, and so many values in one of them. */
const DRAWINGS = 24;
const VALUES = 50_000;
/** No list of a drawing is nested deeper. */
const DEPTH = 6;
/** What a job's id looks like: one question asks the lab for many of them, and is refused as a whole. */
const ID = /^[\w.-]{1,64}$/;

const STATUSES: readonly OutputJob['status'][] = [
  'pending',
  'running',
  'completed',
  'failed',
  'cancelled'
];
const PHASES: readonly OutputJob['phase'][] = [
  'blocked',
  'queued',
  'assigned',
  'running',
  'lost',
  'cancelling',
  'completed',
  'failed',
  'cancelled'
];

type Fields = Readonly<Record<string, unknown>>;

/** What a notebook holds of a job; null where that is none, or of a later version. */
export function readOutput(data: unknown): JobOutput | null {
  if (!isFields(data) || data.v !== 1 || !isFields(data.job)) {
    return null;
  }
  const job = readJob(data.job);
  const drawings: unknown[] = Array.isArray(data.drawings) ? data.drawings.slice(0, DRAWINGS) : [];
  return (
    job && {
      v: 1,
      job,
      lab: text(data.lab) ?? '',
      at: moment(data.at) ?? job.submitted_at,
      drawings: drawings.flatMap((drawing): Fields[] => bounded(drawing) ?? []),
      total: number(data.total) ?? drawings.length,
      source: text(data.source)
    }
  );
}

function readJob(job: Fields): OutputJob | null {
  const [id, submitted_at] = [text(job.id), moment(job.submitted_at)];
  const status = STATUSES.find(one => one === job.status);
  const phase = PHASES.find(one => one === job.phase);
  if (!id || !ID.test(id) || !submitted_at || !status || !phase) {
    return null;
  }
  return {
    id,
    version: number(job.version) ?? 0,
    name: text(job.name) ?? '',
    status,
    phase,
    qpu: text(job.qpu),
    qpus: Array.isArray(job.qpus)
      ? job.qpus.slice(0, DRAWINGS).flatMap(one => text(one) ?? [])
      : [],
    num_circuits: number(job.num_circuits) ?? 1,
    shots: number(job.shots) ?? 0,
    progress: Math.min(Math.max(number(job.progress) ?? 0, 0), 1),
    submitted_at,
    ended_at: moment(job.ended_at),
    busy_s: number(job.busy_s),
    reason: isFields(job.reason)
      ? {
          rule: text(job.reason.rule) ?? '',
          message: text(job.reason.message) ?? '',
          position: number(job.reason.position),
          since_at: moment(job.reason.since_at),
          until_at: moment(job.reason.until_at)
        }
      : null,
    eta: isFields(job.eta)
      ? {
          of: job.eta.of === 'end' ? 'end' : 'start',
          known: job.eta.known === true,
          earliest_at: moment(job.eta.earliest_at),
          likely_at: moment(job.eta.likely_at),
          latest_at: moment(job.eta.latest_at),
          error_s: number(job.eta.error_s)
        }
      : null,
    error: isFields(job.error)
      ? {
          kind: text(job.error.kind) ?? '',
          code: text(job.error.code) ?? '',
          message: text(job.error.message) ?? '',
          data: isFields(job.error.data)
            ? { line: number(job.error.data.line), column: number(job.error.data.column) }
            : {}
        }
      : null
  };
}

/** The drawing, its texts cut; null where it is no drawing or too large to be one. */
function bounded(drawing: unknown): Fields[] | null {
  let left = VALUES;
  const cut = (value: unknown, depth: number): unknown => {
    left -= 1;
    if (left < 0 || depth > DEPTH) {
      throw new RangeError();
    }
    if (Array.isArray(value)) {
      return value.map(one => cut(one, depth + 1));
    }
    if (isFields(value)) {
      return Object.fromEntries(
        Object.entries(value).map(([name, one]) => [name, cut(one, depth + 1)])
      );
    }
    return typeof value === 'string' ? value.slice(0, LONGEST) : value;
  };
  try {
    const whole = cut(drawing, 0);
    return isFields(whole) ? [whole] : null;
  } catch {
    return null;
  }
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function text(value: unknown): string | null {
  return typeof value === 'string' ? value.slice(0, LONGEST) : null;
}

export function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function moment(value: unknown): string | null {
  return typeof value === 'string' && !Number.isNaN(Date.parse(value)) ? value : null;
}
