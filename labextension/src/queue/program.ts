import type { JobModel, JobProvenance, ProgramText, SubmitRequest } from '../wire';
import { textLabels } from './labels';

const LENGTH_BYTES = 8;

/** The sources that the lab packed into one: each after its length as 8 bytes, big-endian. */
export function unpack(packed: ArrayBuffer): Uint8Array<ArrayBuffer>[] {
  const view = new DataView(packed);
  const sources: Uint8Array<ArrayBuffer>[] = [];
  let at = 0;
  while (at < packed.byteLength) {
    const start = at + LENGTH_BYTES;
    const end = start + Number(view.getBigUint64(at));
    if (end > packed.byteLength) {
      throw new RangeError('The packed program was cut short.');
    }
    sources.push(new Uint8Array(packed, start, end - start));
    at = end;
  }
  return sources;
}

/** How the name of a file of what was sent ends: large ones may be compressed. */
export function suffixOf(program: ProgramText, source: Uint8Array): string {
  return source[0] === 0x1f && source[1] === 0x8b ? `${program.suffix}.gz` : program.suffix;
}

/** The same job once more, with its own name, tags and options. */
export function resubmission(
  job: JobModel,
  provenance: JobProvenance,
  sources: readonly Uint8Array[]
): SubmitRequest {
  const { format } = job;
  const group = job.account.startsWith('group:') ? job.account.slice('group:'.length) : null;
  return {
    program: { format, data: sources.map(base64) },
    options: provenance.options,
    qpu: job.qpu,
    name: job.name,
    tags: job.tags,
    retry_safe: job.retry_safe,
    ...textLabels(name => job[name]),
    group,
    shared_with: job.shared_with
  };
}

function base64(bytes: Uint8Array): string {
  const step = 0x8000; // more arguments than this are too many for a call
  let text = '';
  for (let at = 0; at < bytes.length; at += step) {
    text += String.fromCharCode(...bytes.subarray(at, at + step));
  }
  return btoa(text);
}
