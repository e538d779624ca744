import FullCalendar, {
  type CalendarRef,
  type DateClickInfo,
  type DateSelectInfo,
  type EventChangeInfo,
  type EventClickInfo,
  type EventInput
} from '@fullcalendar/react';
import interactionPlugin from '@fullcalendar/react/interaction';
import classicTheme from '@fullcalendar/react/themes/classic';
import timeGridPlugin from '@fullcalendar/react/timegrid';
import * as React from 'react';

import '@fullcalendar/react/skeleton.css';
import '@fullcalendar/react/themes/classic/theme.css';

import { clockHours } from '../words';
import { STEP_MINUTES } from './cell';
import type { CalendarController } from './controller';
import type { Day } from './days';
import { bookingOf, clusterOf, EntryText, type IContext } from './entries';
import type { IInterval } from './refusal';
import { firstHour, wallTime } from './zones';

const PLUGINS = [timeGridPlugin, interactionPlugin, classicTheme];
/** More bookings than this beside each other become "+n more". */
const MOST_BESIDE = 8;
/** The least width of the hours, of a day, and of one of its bookings beside others (px). */
export const WIDTHS = { hours: 60, day: 80, booking: 26 };
const STEP = { minutes: STEP_MINUTES };
/** A drag begins so many pixels from where the button went down; less is a click. */
const DRAG_FROM = 5;
const HOUR = 3_600_000;
/** The least height of a row (px). */
const SLOT_HEIGHT = 26;
/** Times as short as they are clear: "9:30am – 1pm", or "09:30 – 13:00". */
const SHORT_TIME = {
  hour: 'numeric',
  minute: '2-digit',
  omitZeroMinute: true,
  meridiem: 'short'
} as const;

export interface ITimeGridProps {
  readonly controller: CalendarController;
  readonly context: IContext;
  readonly entries: readonly EventInput[];
  readonly day: Day;
  /** The QPU that a drawn booking is of. */
  readonly qpu: string | null;
  /** A column of the day, as high as its hours are; without it the board scrolls by itself. */
  readonly lane?: 'first' | 'other';
  /** Somebody chose a time with a click. */
  readonly onPick: (moment: string, qpu: string | null) => void;
}

/** FullCalendar, drawn anew only when the bookings, their clock or the page change: not for every key. */
export const TimeGrid = React.memo(function TimeGrid(props: ITimeGridProps): React.ReactElement {
  const { controller, context, entries, qpu, lane, day, onPick } = props;
  const { zone, model } = context;
  const calendar = React.useRef<CalendarRef>(null);
  React.useEffect(() => calendar.current?.getApi().gotoDate(day), [day]);
  // What is drawn stays while the dialog is open.
  const forget = () => {
    if (controller.state.draft === null) {
      calendar.current?.getApi().unselect();
    }
  };
  React.useEffect(() => {
    controller.changed.connect(forget);
    return () => {
      controller.changed.disconnect(forget);
    };
  }, [controller]);
  const now = React.useCallback(() => new Date(model.now()), [model]);
  return (
    <FullCalendar
      ref={calendar}
      plugins={PLUGINS}
      initialView={lane ? 'timeGridDay' : 'timeGridWeek'}
      initialDate={day}
      headerToolbar={false}
      height={lane ? 'auto' : '100%'}
      dayHeaders={!lane}
      borderless={lane !== undefined}
      slotHeaderContent={lane === 'other' ? () => null : undefined}
      slotHeaderClass={lane === 'other' ? 'jp-QPI-NoHours' : 'jp-QPI-Hours'}
      slotHeaderInnerClass={lane === 'other' ? 'jp-QPI-NoHours' : ''}
      slotMinHeight={SLOT_HEIGHT}
      expandRows
      locale={navigator.language}
      firstDay={1}
      timeZone={zone}
      now={now}
      allDaySlot={false}
      slotDuration={STEP}
      eventTimeFormat={{ ...SHORT_TIME, ...clockHours() }}
      slotHeaderFormat={{ ...SHORT_TIME, ...clockHours() }}
      displayEventEnd
      scrollTime={scrollTime(model.now(), zone)}
      scrollTimeReset={false}
      nowIndicator
      selectable={qpu !== null}
      selectMirror
      selectMinDistance={DRAG_FROM}
      eventDragMinDistance={DRAG_FROM}
      unselectAuto={false}
      eventInteractive
      eventResizableFromStart
      slotEventOverlap={false}
      eventMaxStack={MOST_BESIDE}
      events={entries as EventInput[]}
      eventClass={info => (info.isMirror ? 'jp-QPI-Drawn' : info.isPast ? 'jp-mod-past' : '')}
      eventContent={info => <EntryText info={info} context={context} />}
      dateClick={(info: DateClickInfo) => {
        const start_at = info.date.toISOString();
        onPick(start_at, qpu);
        if (info.jsEvent.detail > 1 && qpu !== null) {
          const end_at = new Date(info.date.getTime() + HOUR).toISOString();
          controller.draw(qpu, { start_at, end_at });
        }
      }}
      select={(info: DateSelectInfo) => {
        if (qpu !== null) {
          controller.draw(qpu, intervalOf(info));
          forget(); // a time that was refused
        }
      }}
      eventClick={(info: EventClickInfo) => onClick(info, props)}
      eventDrop={(info: EventChangeInfo) => onMoved(info, controller)}
      eventResize={(info: EventChangeInfo) => onMoved(info, controller)}
    />
  );
});

function onClick(
  { jsEvent, el, event }: EventClickInfo,
  { controller, context }: ITimeGridProps
): void {
  const [booking, cluster] = [bookingOf(event), clusterOf(event)];
  const start = booking?.start_at ?? cluster?.start_at;
  if (start !== undefined) {
    controller.goTo(wallTime(start, context.zone).slice(0, 10)); // the day that "Day" shows
  }
  // The second click of a double one, or Enter on the entry, which is a click without a count.
  if (jsEvent.detail === 1) {
    el.focus();
  } else if (booking !== null) {
    controller.open(booking);
  } else if (cluster !== null) {
    controller.setView('day');
  }
}

function onMoved({ event, revert }: EventChangeInfo, controller: CalendarController): void {
  const booking = bookingOf(event);
  const { start, end } = event;
  if (booking === null || start === null || end === null) {
    revert();
    return;
  }
  void controller.move(booking, intervalOf({ start, end }), revert);
}

function intervalOf({ start, end }: { start: Date; end: Date }): IInterval {
  return { start_at: start.toISOString(), end_at: end.toISOString() };
}

/** How wide a week of so many QPUs has to be for each booking to have its name. */
export function weekWidth(qpus: number): number {
  return WIDTHS.hours + 7 * Math.max(WIDTHS.day, WIDTHS.booking * Math.min(qpus, MOST_BESIDE));
}

/** The hours stay in sight while the days are scrolled: FullCalendar scrolls within, where nothing can be sticky. */
export function keepHours({ currentTarget }: React.UIEvent<HTMLElement>): void {
  currentTarget.style.setProperty('--jp-qpi-scrolled', `${currentTarget.scrollLeft}px`);
}

function scrollTime(now: number, zone: string): string {
  return `${String(firstHour(now, zone)).padStart(2, '0')}:00`;
}
