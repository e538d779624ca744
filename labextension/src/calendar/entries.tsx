import type { EventDisplayInfo, EventInput } from '@fullcalendar/react';
import type { TranslationBundle } from '@jupyterlab/translation';
import type * as React from 'react';

import type { BookingModel } from '../wire';
import type { ICrowd } from './crowd';
import type { CalendarModel } from './model';
import type { IInterval } from './refusal';
import { bookingText, modeWord, ownerOf, titleOf } from './words';
import { wallTime } from './zones';

const HOUR = 3_600_000;

/** What an entry needs to know beside its booking. */
export interface IContext {
  readonly model: CalendarModel;
  readonly tones: ReadonlyMap<string, number>;
  readonly zone: string;
  readonly trans: TranslationBundle;
}

/** A booking as FullCalendar takes it. */
export function entryOf(booking: BookingModel, { model, tones, zone }: IContext): EventInput {
  const classes = [
    'jp-QPI-Booking',
    `jp-QPI-Tone-${tones.get(booking.qpu) ?? 0}`,
    booking.mine ? 'jp-mod-mine' : '',
    `jp-mod-${booking.mode}`,
    model.editable(booking) ? '' : 'jp-mod-fixed'
  ];
  const ahead = Date.parse(booking.start_at) > model.now();
  const [start, end] = drawnAt(booking, zone);
  // Where a clock is put back, what is drawn cannot say which of two equal times is meant.
  const free = model.editable(booking) && end === booking.end_at;
  return {
    id: booking.id,
    title: booking.title ?? '',
    start,
    end,
    color: 'var(--jp-qpi-tone)',
    class: classes.filter(Boolean).join(' '),
    startEditable: free && (ahead || model.manages),
    durationEditable: free,
    extendedProps: { booking }
  };
}

/** The interval, longer where the clock of `zone` is put back in it so far that it would seem to end before it begins. */
function drawnAt({ start_at, end_at }: IInterval, zone: string): readonly [string, string] {
  if (wallTime(end_at, zone) > wallTime(start_at, zone)) {
    return [start_at, end_at];
  }
  const backward = Date.parse(start_at) + 2 * HOUR;
  return [start_at, new Date(Math.max(backward, Date.parse(end_at))).toISOString()];
}

/** Several bookings as one entry. */
export function crowdEntryOf(crowd: ICrowd, { tones }: IContext): EventInput {
  return {
    id: `${crowd.qpu} ${crowd.start_at}`,
    start: crowd.start_at,
    end: crowd.end_at,
    color: 'var(--jp-qpi-tone)',
    class: `jp-QPI-Booking jp-QPI-Tone-${tones.get(crowd.qpu) ?? 0}`,
    editable: false,
    extendedProps: { crowd }
  };
}

/** The crowd behind an entry; null where it is one booking, or what one is just drawing. */
export function crowdOf(event: { extendedProps: Record<string, unknown> }): ICrowd | null {
  return (event.extendedProps.crowd as ICrowd | undefined) ?? null;
}

/** The booking behind an entry; null for what one is just drawing. */
export function bookingOf(event: { extendedProps: Record<string, unknown> }): BookingModel | null {
  return (event.extendedProps.booking as BookingModel | undefined) ?? null;
}

/** What stands in an entry. */
export function EntryText(props: {
  info: EventDisplayInfo;
  context: IContext;
}): React.ReactElement {
  const { info, context } = props;
  const booking = bookingOf(info.event);
  const crowd = crowdOf(info.event);
  if (booking !== null) {
    return <BookingEntry booking={booking} time={info.timeText} context={context} />;
  }
  return (
    <div className="jp-QPI-BookingText">
      {crowd !== null && (
        <>
          <div className="jp-QPI-BookingQpu">{crowd.qpu}</div>
          <div className="jp-QPI-BookingTitle">
            {context.trans._n('%1 booking', '%1 bookings', crowd.count)}
          </div>
        </>
      )}
      <div className="jp-QPI-BookingTime">{info.timeText}</div>
    </div>
  );
}

function BookingEntry(props: {
  booking: BookingModel;
  time: string;
  context: IContext;
}): React.ReactElement {
  const { booking, time, context } = props;
  const { trans, model, zone } = context;
  const whole = bookingText(booking, model.me, zone, trans);
  const fixed = model.editable(booking)
    ? ''
    : trans.__('Only who booked it, or a manager, changes it.');
  return (
    <div
      className="jp-QPI-BookingText"
      data-booking={booking.id}
      title={[whole, fixed].filter(Boolean).join('\n')}
    >
      <div className="jp-QPI-BookingQpu">
        {booking.mine && <span className="jp-QPI-BookingMine">{trans.__('mine')}</span>}
        <span>{booking.qpu}</span>
        {booking.mode === 'maintenance' && (
          <span className="jp-QPI-BookingMode">{modeWord(booking.mode, trans)}</span>
        )}
        {booking.series_id !== null && (
          <span role="img" aria-label={trans.__('repeats')}>
            ↻
          </span>
        )}
      </div>
      <div className="jp-QPI-BookingTitle">{titleOf(booking, trans)}</div>
      <div className="jp-QPI-BookingTime">{time}</div>
      <div className="jp-QPI-BookingOwner">{ownerOf(booking, model.me, trans)}</div>
    </div>
  );
}
