import type { EventDisplayInfo, EventInput } from '@fullcalendar/react';
import type { TranslationBundle } from '@jupyterlab/translation';
import type * as React from 'react';

import type { BookingModel } from '../wire';
import type { ICrowd } from './crowd';
import type { CalendarModel } from './model';
import { bookingText, ownerOf, titleOf } from './words';

/** What an entry needs to know beside its booking. */
export interface IContext {
  readonly model: CalendarModel;
  readonly tones: ReadonlyMap<string, number>;
  readonly zone: string;
  readonly trans: TranslationBundle;
}

/** A booking as FullCalendar takes it. */
export function entryOf(booking: BookingModel, { model, tones }: IContext): EventInput {
  const classes = [
    'jp-QPI-Booking',
    `jp-QPI-Tone-${tones.get(booking.qpu) ?? 0}`,
    booking.mine ? 'jp-mod-mine' : '',
    `jp-mod-${booking.mode}`
  ];
  const ahead = Date.parse(booking.start_at) > Date.now();
  const free = model.editable(booking);
  return {
    id: booking.id,
    title: booking.title ?? '',
    start: booking.start_at,
    end: booking.end_at,
    color: 'var(--jp-qpi-tone)',
    class: classes.filter(Boolean).join(' '),
    startEditable: free && (ahead || model.manages),
    durationEditable: free,
    extendedProps: { booking }
  };
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
  const { trans, model, zone } = context;
  const booking = bookingOf(info.event);
  const crowd = crowdOf(info.event);
  if (crowd !== null) {
    return (
      <div className="jp-QPI-BookingText">
        <span className="jp-QPI-BookingQpu">{crowd.qpu}</span>{' '}
        {trans._n('%1 booking', '%1 bookings', crowd.count)}
        <div className="jp-QPI-BookingTime">{info.timeText}</div>
      </div>
    );
  }
  if (booking === null) {
    return <span className="jp-QPI-BookingTime">{info.timeText}</span>;
  }
  const owner = ownerOf(booking, model.me, trans);
  return (
    <div
      className="jp-QPI-BookingText"
      data-booking={booking.id}
      title={bookingText(booking, model.me, zone, trans)}
    >
      <span className="jp-QPI-BookingQpu">{booking.qpu}</span>{' '}
      <span className="jp-QPI-BookingTitle">{titleOf(booking, trans)}</span>
      {booking.series_id !== null && (
        <span role="img" aria-label={trans.__('repeats')}>
          {' ↻'}
        </span>
      )}
      <div className="jp-QPI-BookingTime">
        {info.timeText} {owner}
      </div>
    </div>
  );
}
