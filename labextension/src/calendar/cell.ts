import { Temporal } from 'temporal-polyfill';

import type { WallTime } from './zones';

/** The length of one row of the grid. */
export const STEP_MINUTES = 30;

/** What the keyboard has selected: some rows of one day, by the clock that is shown. */
export interface ICell {
  readonly start: WallTime;
  readonly steps: number;
}

/** The row that `wall` is in. */
export function cellAt(wall: WallTime): ICell {
  const at = Temporal.PlainDateTime.from(wall);
  const start = at.round({
    smallestUnit: 'minute',
    roundingIncrement: STEP_MINUTES,
    roundingMode: 'floor'
  });
  return { start: text(start), steps: 1 };
}

export function cellEnd(cell: ICell): WallTime {
  return text(Temporal.PlainDateTime.from(cell.start).add({ minutes: cell.steps * STEP_MINUTES }));
}

/** Where a key leads from `cell`; null if the key is none that moves. A page is `days` long. */
export function movedBy(
  key: string,
  extend: boolean,
  cell: ICell,
  days: number,
  now: WallTime
): ICell | null {
  const at = Temporal.PlainDateTime.from(cell.start);
  const by = (duration: Temporal.DurationLike): ICell => ({
    ...cell,
    start: text(at.add(duration))
  });
  switch (key) {
    case 'ArrowUp':
      return extend
        ? { ...cell, steps: Math.max(1, cell.steps - 1) }
        : by({ minutes: -STEP_MINUTES });
    case 'ArrowDown':
      return extend ? { ...cell, steps: cell.steps + 1 } : by({ minutes: STEP_MINUTES });
    case 'ArrowLeft':
      return by({ days: -1 });
    case 'ArrowRight':
      return by({ days: 1 });
    case 'PageUp':
      return by({ days: -days });
    case 'PageDown':
      return by({ days });
    case 'Home':
      return cellAt(now);
    default:
      return null;
  }
}

function text(at: Temporal.PlainDateTime): WallTime {
  return at.toString({ smallestUnit: 'minute' });
}
