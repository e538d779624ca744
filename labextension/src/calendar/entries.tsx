import type { EventDisplayInfo, EventInput } from '@fullcalendar/react';
import type { TranslationBundle } from '@jupyterlab/translation';
import { buildIcon, userIcon } from '@jupyterlab/ui-components';
import type * as React from 'react';

import type { BookingModel } from '../wire';
import type { ICluster } from './clusters';
import type { CalendarModel } from './model';
import type { IInterval } from './refusal';
import { bookingText, ownerOf, titleOf } from './words';
import { wallTime } from './zones';

const HOUR = 3_600_000;

/** What an entry needs to know beside its booking. */
export interface IContext {
  readonly model: CalendarModel;
  readonly tones: ReadonlyMap<string, number>;
  readonly zone: string;
  readonly trans: TranslationBundle;
}

/** How a booking is drawn; null for several as one. */
export function bookingClass(
  qpu: string,
  booking: BookingModel | null,
  { model, tones }: IContext
): string {
  const classes = ['jp-QPI-Booking', `jp-QPI-Tone-${tones.get(qpu) ?? 0}`];
  if (booking !== null) {
    classes.push(`jp-mod-${booking.mode}`);
    classes.push(booking.mine ? 'jp-mod-mine' : '', model.editable(booking) ? '' : 'jp-mod-fixed');
  }
  return classes.filter(Boolean).join(' ');
}

/** A booking as FullCalendar takes it. */
export function entryOf(booking: BookingModel, context: IContext): EventInput {
  const { model, zone } = context;
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
    class: bookingClass(booking.qpu, booking, context),
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
export function clusterEntryOf(cluster: ICluster, context: IContext): EventInput {
  return {
    id: `${cluster.qpu} ${cluster.start_at}`,
    start: cluster.start_at,
    end: cluster.end_at,
    color: 'var(--jp-qpi-tone)',
    class: bookingClass(cluster.qpu, null, context),
    editable: false,
    extendedProps: { cluster }
  };
}

/** The cluster behind an entry; null where it is one booking, or what one is just drawing. */
export function clusterOf(event: { extendedProps: Record<string, unknown> }): ICluster | null {
  return (event.extendedProps.cluster as ICluster | undefined) ?? null;
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
  const cluster = clusterOf(info.event);
  if (booking !== null) {
    return <BookingEntry booking={booking} time={info.timeText} context={context} />;
  }
  return (
    <div className="jp-QPI-BookingText">
      {cluster !== null && (
        <>
          <div className="jp-QPI-BookingQpu">{cluster.qpu}</div>
          <div className="jp-QPI-BookingTitle">
            {context.trans._n('%1 booking', '%1 bookings', cluster.count)}
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
    : trans.__('Only its owner or a manager can change it.');
  return (
    <div
      className="jp-QPI-BookingText"
      data-booking={booking.id}
      title={[whole, fixed].filter(Boolean).join('\n')}
    >
      <div className="jp-QPI-BookingQpu">
        <span>{booking.qpu}</span>
        <BookingMark booking={booking} trans={trans} />
      </div>
      <div className="jp-QPI-BookingTitle">{titleOf(booking, trans)}</div>
      <div className="jp-QPI-BookingTime">{time}</div>
      <div className="jp-QPI-BookingOwner">{ownerOf(booking, model.me, trans)}</div>
    </div>
  );
}

/** What is special about a booking, as signs with words behind them. */
export function BookingMark(props: {
  booking: BookingModel | null;
  trans: TranslationBundle;
}): React.ReactElement {
  const { booking, trans } = props;
  return (
    <>
      {booking?.mine && (
        <span role="img" className="jp-QPI-BookingMine" aria-label={trans.__('mine')}>
          <userIcon.react tag={null} />
        </span>
      )}
      {booking?.mode === 'maintenance' && (
        <span role="img" className="jp-QPI-BookingMine" aria-label={trans.__('maintenance')}>
          <buildIcon.react tag={null} />
        </span>
      )}
      {booking?.series_id && (
        <span role="img" aria-label={trans.__('repeats')}>
          ↻
        </span>
      )}
    </>
  );
}
