import { type ITimeline, timelineOf } from '../queue/timeline';
import type { BookingFit, ChargeModel } from '../wire';
import { isFields, number, text } from './schema';

const CIRCUITS = 64;
const WARNINGS = 50;
const LONGEST = 400_000;

/** One circuit as its QPU would run it, ready to be drawn. */
export interface IPreviewedCircuit {
  readonly name: string;
  readonly native: string;
  readonly problem: string;
  readonly duration_s: number | null;
  readonly reset_s: number;
  readonly timeline: ITimeline | null;
  readonly warnings: readonly string[];
}

/** What a job would be on a QPU. */
export interface IPreview {
  readonly qpu: string;
  readonly circuits: readonly IPreviewedCircuit[];
  readonly total: number;
  readonly estimate_s: number;
  readonly upper_s: number;
  readonly charge: ChargeModel;
  readonly booking: BookingFit | null;
}

/** What a notebook holds of a preview; null where that is none, or of a later version. */
export function readPreviewOutput(data: unknown): IPreview | null {
  return isFields(data) && data.v === 1 ? readPreview(data.preview) : null;
}

/** A preview as a lab, or a notebook of anybody's, has it. */
export function readPreview(data: unknown): IPreview | null {
  const given = isFields(data) && Array.isArray(data.circuits) ? data.circuits : [];
  const circuits = given.slice(0, CIRCUITS).flatMap(one => readCircuit(one) ?? []);
  if (!isFields(data) || circuits.length === 0) {
    return null;
  }
  const charge = isFields(data.charge) ? data.charge : {};
  const estimate_s = number(data.estimate_s) ?? 0;
  return {
    qpu: text(data.qpu) ?? '',
    circuits,
    total: number(data.total) ?? circuits.length,
    estimate_s,
    upper_s: number(data.upper_s) ?? estimate_s,
    charge: {
      account: text(charge.account) ?? '',
      seconds: number(charge.seconds) ?? estimate_s,
      available_s: number(charge.available_s),
      covered: charge.covered !== false
    },
    booking: readBooking(data.booking)
  };
}

function readCircuit(data: unknown): IPreviewedCircuit[] | null {
  if (!isFields(data)) {
    return null;
  }
  const warnings: unknown[] = Array.isArray(data.warnings) ? data.warnings : [];
  return [
    {
      name: text(data.name) ?? '',
      native: typeof data.native === 'string' ? data.native.slice(0, LONGEST) : '',
      problem: text(data.problem) ?? '',
      duration_s: number(data.duration_s),
      reset_s: number(data.reset_s) ?? 0,
      timeline: timelineOf(data),
      warnings: warnings.slice(0, WARNINGS).flatMap(one => text(one) ?? [])
    }
  ];
}

function readBooking(data: unknown): BookingFit | null {
  if (!isFields(data)) {
    return null;
  }
  const fits = (['yes', 'likely', 'no'] as const).find(one => one === data.fits) ?? 'no';
  return {
    mine: data.mine === true,
    end_at: text(data.end_at) ?? '',
    left_s: number(data.left_s) ?? 0,
    fits
  };
}
