import { Token } from '@lumino/coreutils';
import { type ISignal, Signal } from '@lumino/signaling';

import type { Hours } from '../words';

/** What one can set, as JupyterLab's settings editor has it. */
export interface ISettingValues {
  readonly notifyJobs: boolean;
  readonly notifyBookings: boolean;
  readonly notifyDesktop: boolean;
  readonly jobsShown: number;
  readonly defaultQpu: string;
  /** The IANA name of my clock; empty: the browser's. */
  readonly timezone: string;
  /** How hours are counted; empty: as the browser's language has it. */
  readonly hours: Hours;
  readonly labName: string;
  readonly logoUrl: string;
  readonly accentColour: string;
}

export const DEFAULTS: ISettingValues = {
  notifyJobs: true,
  notifyBookings: true,
  notifyDesktop: false,
  jobsShown: 10,
  defaultQpu: '',
  timezone: '',
  hours: '',
  labName: '',
  logoUrl: '',
  accentColour: ''
};

/** The settings in force; without a settings registry, the defaults. */
export interface ILabSettings {
  readonly values: ISettingValues;
  readonly changed: ISignal<ILabSettings, ISettingValues>;
}

export const ILabSettings = new Token<ILabSettings>('qpi-jupyter:ILabSettings');

export class LabSettings implements ILabSettings {
  get values(): ISettingValues {
    return this._values;
  }

  get changed(): ISignal<ILabSettings, ISettingValues> {
    return this._changed;
  }

  /** Take over what was set; the settings' schema has checked it. */
  replace(given: Partial<ISettingValues>): void {
    this._values = { ...DEFAULTS, ...given };
    this._changed.emit(this._values);
  }

  private _values = DEFAULTS;
  private readonly _changed = new Signal<ILabSettings, ISettingValues>(this);
}
