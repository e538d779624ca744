import type { TranslationBundle } from '@jupyterlab/translation';
import type * as React from 'react';

import type { BookingModel } from '../wire';
import { cellAt, cellEnd, type ICell, movedBy } from './cell';
import type { CalendarController, IControllerState } from './controller';
import { type Day, VIEWS, windowOf } from './days';
import { overlaps } from './model';
import type { IInterval } from './refusal';
import { momentOf, wallTime } from './zones';

/** Where the arrow keys are: a time, and in the day view the QPU of a column. */
export interface ICursor {
  readonly cell: ICell;
  readonly qpu: string | null;
}

export interface IKeyboard {
  readonly controller: CalendarController;
  readonly state: IControllerState;
  /** What is booked on the page, on the QPUs that are shown. */
  readonly bookings: readonly BookingModel[];
  readonly shown: readonly string[];
  readonly cursor: ICursor | null;
  readonly setCursor: (cursor: ICursor | null) => void;
  readonly onHelp: () => void;
}

/** Every key of the calendar, and what it does. */
export function keyHelp(trans: TranslationBundle): readonly (readonly [string, string])[] {
  return [
    ['↑ ↓ ← →', trans.__('select a time; in the day view, left and right select a QPU')],
    [trans.__('Shift + ↑ ↓'), trans.__('shorten or extend the selected time')],
    [trans.__('Page Up, Page Down'), trans.__('earlier or later by a page')],
    [trans.__('Home'), trans.__('now')],
    [trans.__('Enter'), trans.__('book the selected time, or open the booking there')],
    [trans.__('Shift + Enter'), trans.__('book anyway')],
    [trans.__('Delete'), trans.__('delete your booking there')],
    [trans.__('Escape'), trans.__('clear the selection; cancel a drag')],
    [trans.__('Tab'), trans.__('from booking to booking')],
    ['T', trans.__('today')],
    ['P, N', trans.__('the page before, the next page')],
    ['W, D, A', trans.__('week, day, agenda')],
    ['?', trans.__('this help')]
  ];
}

/** Do what a key asks for; whether it was one of ours. */
export function onKey(event: React.KeyboardEvent<HTMLElement>, board: IKeyboard): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey) {
    return false;
  }
  const onGrid = event.target === event.currentTarget;
  return (
    onAction(event, board, onGrid) || onPage(event.key, board) || (onGrid && onCursor(event, board))
  );
}

/** Keys that do something to a booking. */
function onAction(
  event: React.KeyboardEvent<HTMLElement>,
  board: IKeyboard,
  onGrid: boolean
): boolean {
  const { controller, bookings, setCursor } = board;
  const focused = (event.target as Element).querySelector('[data-booking]');
  const chosen = onGrid
    ? inCursor(board)
    : bookings.filter(booking => booking.id === focused?.getAttribute('data-booking'));
  if (event.key === 'Delete' || event.key === 'Backspace') {
    const own = chosen.find(booking => controller.model.editable(booking));
    void (own && controller.remove(own));
    return own !== undefined;
  }
  if (event.key === 'Escape') {
    setCursor(null);
    controller.dismiss();
    return true;
  }
  return event.key === 'Enter' && onGrid && book(board, event.shiftKey ? [] : chosen);
}

/** Open the booking under the cursor, or the dialog for a new one. */
function book(
  { controller, cursor, shown, state }: IKeyboard,
  found: readonly BookingModel[]
): boolean {
  const booking = found.find(one => controller.model.editable(one)) ?? found[0];
  const qpu = cursor?.qpu ?? shown[0];
  if (booking !== undefined) {
    controller.open(booking);
  } else if (cursor !== null && qpu !== undefined) {
    controller.draw(qpu, cellInterval(cursor.cell, state.zone));
  }
  return true;
}

/** Keys that turn the page, or show another one. */
function onPage(key: string, { controller, onHelp }: IKeyboard): boolean {
  const view = VIEWS.find(one => one.startsWith(key.toLowerCase()));
  if (key.length === 1 && view !== undefined) {
    controller.setView(view);
    return true;
  }
  const actions: Record<string, () => void> = {
    t: () => controller.goToday(),
    n: () => controller.turn(1),
    p: () => controller.turn(-1),
    '?': onHelp
  };
  const action = actions[key.toLowerCase()];
  action?.();
  return action !== undefined;
}

/** Keys that move the cursor. */
function onCursor(event: React.KeyboardEvent<HTMLElement>, board: IKeyboard): boolean {
  const { controller, state, shown, cursor, setCursor } = board;
  const { view, zone } = state;
  if (view === 'agenda') {
    return false;
  }
  const now = wallTime(new Date(controller.model.now()).toISOString(), zone);
  const at = cursor ?? { cell: startCell(board, now), qpu: shown[0] ?? null };
  const days = view === 'day' ? 1 : 7;
  const aside = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (view === 'day' && aside !== undefined) {
    const place = shown.indexOf(at.qpu ?? '') + (cursor === null ? 0 : aside);
    setCursor({ ...at, qpu: shown[Math.min(Math.max(0, place), shown.length - 1)] ?? null });
    return true;
  }
  const moved = movedBy(event.key, event.shiftKey, at.cell, days, now);
  if (moved === null) {
    return false;
  }
  // The first key shows where one is.
  const next = cursor === null && event.key !== 'Home' ? at.cell : moved;
  setCursor({ ...at, cell: next });
  controller.goTo(next.start.slice(0, 10));
  return true;
}

/** Now, if that is in view; else the morning of the first day. */
function startCell({ state: { view, day, zone } }: IKeyboard, now: string): ICell {
  const { start_at, end_at } = windowOf(view, day, zone);
  const [start, end] = [wallTime(start_at, zone), wallTime(end_at, zone)];
  return now >= start && now < end ? cellAt(now) : cellAt(`${firstDay(start)}T09:00`);
}

function firstDay(start: string): Day {
  return start.slice(0, 10);
}

/** What is booked under the cursor. */
export function inCursor(board: Pick<IKeyboard, 'bookings' | 'cursor' | 'state'>): BookingModel[] {
  const { bookings, cursor, state } = board;
  if (cursor === null) {
    return [];
  }
  const chosen = cellInterval(cursor.cell, state.zone);
  return bookings.filter(
    booking =>
      overlaps(booking, chosen) &&
      (state.view !== 'day' || cursor.qpu === null || booking.qpu === cursor.qpu)
  );
}

export function cellInterval(cell: ICell, zone: string): IInterval {
  const start_at = momentOf(cell.start, zone) ?? cell.start;
  return { start_at, end_at: momentOf(cellEnd(cell), zone) ?? start_at };
}
