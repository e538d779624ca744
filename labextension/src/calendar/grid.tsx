import FullCalendar, {
  type CalendarRef,
  type DateSelectInfo,
  type DatesSetInfo,
  type EventChangeInfo,
  type EventClickInfo
} from '@fullcalendar/react';
import interactionPlugin from '@fullcalendar/react/interaction';
import listPlugin from '@fullcalendar/react/list';
import classicTheme from '@fullcalendar/react/themes/classic';
import timeGridPlugin from '@fullcalendar/react/timegrid';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import '@fullcalendar/react/skeleton.css';
import '@fullcalendar/react/themes/classic/theme.css';

import type { BookingModel } from '../wire';
import { cellAt, cellEnd, type ICell, movedBy, STEP_MINUTES } from './cell';
import { crowded } from './crowd';
import type { CalendarDesk, IDeskState } from './desk';
import { bookingOf, crowdEntryOf, crowdOf, EntryText, entryOf, type IContext } from './entries';
import type { IInterval } from './refusal';
import { bookingText, intervalText } from './words';
import { momentOf, wallTime } from './zones';

const PLUGINS = [timeGridPlugin, listPlugin, interactionPlugin, classicTheme];
/** More bookings than this beside each other become "+n more". */
const MOST_BESIDE = 6;
/** More entries than this are put together, so that a full week stays quick. */
const MOST_ENTRIES = 350;
const DAY_MINUTES = 24 * 60;
const STEP = { minutes: STEP_MINUTES };

export type ViewType = 'timeGridWeek' | 'timeGridDay' | 'listWeek';

export interface IGridProps {
  readonly desk: CalendarDesk;
  readonly state: IDeskState;
  readonly bookings: readonly BookingModel[];
  readonly context: IContext;
  /** The QPU that a drawn booking is of. */
  readonly qpu: string | null;
  readonly calendar: React.RefObject<CalendarRef>;
  readonly view: ViewType;
  /** Show the day of a moment. */
  readonly onDay: (moment: string) => void;
  readonly onDates: (window: IInterval, title: string) => void;
}

/** The bookings on a grid of days and hours, or as a list; by mouse, touch and keyboard. */
export function Grid(props: IGridProps): React.ReactElement {
  const { desk, bookings, context, qpu, calendar, view, onDates, onDay } = props;
  const { trans } = context;
  const root = React.useRef<HTMLElement>(null);
  const [cell, setCell] = React.useState<ICell | null>(null);
  const drawing = props.state.draft !== null;

  // Without dependencies: another page of the calendar has other lanes.
  React.useLayoutEffect(() => showCell(root.current, cell, trans));
  React.useEffect(() => {
    if (!drawing) {
      calendar.current?.getApi().unselect();
    }
  }, [calendar, drawing]);

  const onKeyDown = (event: React.KeyboardEvent<HTMLElement>) => {
    if (onKey(event, { ...props, cell, setCell })) {
      event.preventDefault();
      event.stopPropagation();
    }
  };
  return (
    <section
      ref={root}
      className="jp-QPI-Grid"
      aria-label={trans.__('Calendar')}
      aria-describedby="qpi-calendar-keys"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the cell under the arrow keys lives here
      tabIndex={0}
      onKeyDown={onKeyDown}
    >
      <Board {...{ desk, bookings, context, qpu, calendar, view, onDates, onDay, setCell }} />
      <p id="qpi-calendar-keys" className="jp-QPI-Hidden">
        {trans.__(
          'Arrow keys choose a time, with Shift a longer one. Enter books it or opens the booking there, Shift+Enter books it in any case, Delete deletes your booking there, Escape lets go.'
        )}
      </p>
      <p role="status" className="jp-QPI-Hidden">
        {cell && spoken(cell, props)}
      </p>
    </section>
  );
}

type IBoardProps = Omit<IGridProps, 'state'> & { readonly setCell: (cell: null) => void };

/** FullCalendar itself, drawn anew only when the bookings or their clock change: not for every key. */
const Board = React.memo(function Board(props: IBoardProps): React.ReactElement {
  const { desk, context, qpu, calendar, setCell, view } = props;
  const { trans, zone } = context;
  const events = React.useMemo(() => {
    const { single, crowds } = crowded(props.bookings, MOST_ENTRIES);
    const together = crowds.map(crowd => crowdEntryOf(crowd, context));
    return [...single.map(booking => entryOf(booking, context)), ...together];
  }, [props.bookings, context]);
  React.useEffect(() => calendar.current?.getApi().changeView(view), [calendar, view]);
  return (
    <FullCalendar
      ref={calendar}
      plugins={PLUGINS}
      initialView="timeGridWeek"
      headerToolbar={false}
      height="100%"
      expandRows
      locale={navigator.language}
      firstDay={1}
      timeZone={zone}
      allDaySlot={false}
      slotDuration={STEP}
      eventTimeFormat={{ hour: 'numeric', minute: '2-digit' }}
      scrollTime={scrollTime(zone)}
      scrollTimeReset={false}
      nowIndicator
      selectable={qpu !== null}
      selectMirror
      unselectAuto={false}
      eventInteractive
      eventResizableFromStart
      slotEventOverlap={false}
      eventMaxStack={MOST_BESIDE}
      events={events}
      eventClass={info => (info.isMirror ? 'jp-QPI-Drawn' : '')}
      eventContent={info => <EntryText info={info} context={context} />}
      noEventsText={trans.__('Nothing is booked in this week.')}
      datesSet={(info: DatesSetInfo) => props.onDates(intervalOf(info), info.view.title)}
      select={(info: DateSelectInfo) => {
        if (qpu !== null) {
          setCell(null);
          desk.draw(qpu, intervalOf(info));
        }
      }}
      eventClick={(info: EventClickInfo) => onClick(info, props)}
      eventDrop={(info: EventChangeInfo) => onMoved(info, desk)}
      eventResize={(info: EventChangeInfo) => onMoved(info, desk)}
    />
  );
});

interface IKeyContext extends IGridProps {
  readonly cell: ICell | null;
  readonly setCell: (cell: ICell | null) => void;
}

/** Do what a key asks for; whether it was one of ours. */
function onKey(event: React.KeyboardEvent<HTMLElement>, context: IKeyContext): boolean {
  const { desk, bookings, cell, setCell } = context;
  if (event.ctrlKey || event.metaKey || event.altKey) {
    return false;
  }
  const focused = (event.target as Element).querySelector('[data-booking]');
  const onGrid = event.target === event.currentTarget;
  const chosen = onGrid
    ? inCell(context)
    : bookings.filter(booking => booking.id === focused?.getAttribute('data-booking'));
  if (event.key === 'Delete' || event.key === 'Backspace') {
    const own = chosen.find(booking => desk.model.editable(booking));
    void (own && desk.remove(own));
    return own !== undefined;
  }
  if (event.key === 'Escape') {
    setCell(null);
    desk.dismiss();
    return true;
  }
  if (event.key === 'Enter' && onGrid) {
    return bookCell(context, event.shiftKey ? [] : chosen);
  }
  const now = wallTime(new Date().toISOString(), context.state.zone);
  const days = context.view === 'timeGridDay' ? 1 : 7;
  if (!onGrid || context.view === 'listWeek') {
    return false;
  }
  const moved = movedBy(event.key, event.shiftKey, cell ?? startCell(context, now), days, now);
  if (moved !== null) {
    // The first key shows where one is.
    const next = cell === null && event.key !== 'Home' ? startCell(context, now) : moved;
    setCell(next);
    follow(context, next);
  }
  return moved !== null;
}

/** Turn the page to where the cell is. */
function follow({ calendar, state }: IGridProps, cell: ICell): void {
  const api = calendar.current?.getApi();
  const { start_at } = cellInterval(cell, state.zone);
  const at = new Date(start_at);
  if (api !== undefined && (at < api.view.activeStart || at >= api.view.activeEnd)) {
    api.gotoDate(start_at);
  }
}

/** Open the booking in the cell, or the dialog for a new one. */
function bookCell(context: IKeyContext, found: readonly BookingModel[]): boolean {
  const { desk, cell, qpu, state } = context;
  const booking = found.find(one => desk.model.editable(one)) ?? found[0];
  if (booking !== undefined) {
    desk.open(booking);
  } else if (cell !== null && qpu !== null) {
    desk.draw(qpu, cellInterval(cell, state.zone));
  }
  return true;
}

/** Now, if that is in view; else the morning of the first day. */
function startCell(context: IGridProps, now: string): ICell {
  const view = context.calendar.current?.getApi().view;
  if (view === undefined) {
    return cellAt(now);
  }
  const { zone } = context.state;
  const [start, end] = [view.activeStart, view.activeEnd].map(at =>
    wallTime(at.toISOString(), zone)
  );
  const inView = start !== undefined && end !== undefined && now >= start && now < end;
  return inView || start === undefined ? cellAt(now) : cellAt(`${start.slice(0, 10)}T09:00`);
}

function inCell(context: IKeyContext): BookingModel[] {
  if (context.cell === null) {
    return [];
  }
  const { start_at, end_at } = cellInterval(context.cell, context.state.zone);
  return context.bookings.filter(
    booking =>
      Date.parse(booking.start_at) < Date.parse(end_at) &&
      Date.parse(booking.end_at) > Date.parse(start_at)
  );
}

function cellInterval(cell: ICell, zone: string): IInterval {
  const start_at = momentOf(cell.start, zone) ?? cell.start;
  return { start_at, end_at: momentOf(cellEnd(cell), zone) ?? start_at };
}

/** What a screen reader says of the cell. */
function spoken(cell: ICell, props: IGridProps): string {
  const { state, context } = props;
  const { trans, model } = context;
  const found = inCell({ ...props, cell, setCell: () => undefined });
  const what = found.map(booking => bookingText(booking, model.me, state.zone, trans));
  const when = intervalText(cellInterval(cell, state.zone), state.zone);
  return `${when}: ${what.join('; ') || trans.__('free')}`;
}

/** Mark the cell in the lane of its day, and bring it into view; the returned function takes the mark away. */
function showCell(
  root: HTMLElement | null,
  cell: ICell | null,
  trans: TranslationBundle
): (() => void) | undefined {
  const day = cell?.start.slice(0, 10);
  const lane = root?.querySelector(`[role="cell"][data-date="${day}"]`);
  if (!lane || cell === null) {
    return undefined;
  }
  const mark = document.createElement('div');
  mark.className = 'jp-QPI-Cell';
  mark.textContent = trans.__('%1 – %2', cell.start.slice(11), cellEnd(cell).slice(11));
  const minutes = 60 * Number(cell.start.slice(11, 13)) + Number(cell.start.slice(14));
  mark.style.top = `${(100 * minutes) / DAY_MINUTES}%`;
  mark.style.height = `${(100 * cell.steps * STEP_MINUTES) / DAY_MINUTES}%`;
  lane.append(mark);
  mark.scrollIntoView({ block: 'nearest' });
  return () => mark.remove();
}

function onClick({ jsEvent, el, event }: EventClickInfo, props: IBoardProps): void {
  const { desk } = props;
  const [booking, crowd] = [bookingOf(event), crowdOf(event)];
  // The second click of a double one, or Enter on the entry, which is a click without a count.
  if (jsEvent.detail === 1) {
    el.focus();
  } else if (booking !== null) {
    desk.open(booking);
  } else if (crowd !== null) {
    props.onDay(crowd.start_at);
  }
}

function onMoved({ event, revert }: EventChangeInfo, desk: CalendarDesk): void {
  const booking = bookingOf(event);
  const { start, end } = event;
  if (booking === null || start === null || end === null) {
    revert();
    return;
  }
  void desk.move(booking, intervalOf({ start, end }), revert);
}

function intervalOf({ start, end }: { start: Date; end: Date }): IInterval {
  return { start_at: start.toISOString(), end_at: end.toISOString() };
}

/** An hour before now, so that now is in view when the tab opens. */
function scrollTime(zone: string): string {
  const hour = Number(wallTime(new Date().toISOString(), zone).slice(11, 13));
  return `${String(Math.max(0, hour - 1)).padStart(2, '0')}:00`;
}
