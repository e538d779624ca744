import * as React from 'react';

import type { BookingModel } from '../wire';
import { clustered, type ICluster } from './clusters';
import type { CalendarController } from './controller';
import { dayAt, pageTitle } from './days';
import { BookingMark, bookingClass, type IContext } from './entries';
import type { IInterval } from './refusal';
import { clockText, ownerOf, titleOf } from './words';

/** More rows than this are put together. */
const MOST_ROWS = 350;

type Row = BookingModel | ICluster;

/** The bookings of a week as a list, day by day. */
export const Agenda = React.memo(function Agenda(props: {
  readonly controller: CalendarController;
  readonly bookings: readonly BookingModel[];
  readonly context: IContext;
  /** What is shown: a booking from before it stands on its first day. */
  readonly page: IInterval;
}): React.ReactElement {
  const { controller, bookings, context, page } = props;
  const { zone } = context;
  const days = React.useMemo(() => {
    const { single, clusters } = clustered(bookings, MOST_ROWS);
    const rows: Row[] = [...single, ...clusters].sort(byStart);
    const found = new Map<string, Row[]>();
    for (const row of rows) {
      const start = Math.max(Date.parse(row.start_at), Date.parse(page.start_at));
      const day = dayAt(start, zone);
      found.set(day, [...(found.get(day) ?? []), row]);
    }
    return [...found];
  }, [bookings, page, zone]);
  return (
    <div className="jp-QPI-Agenda">
      {days.map(([day, rows]) => (
        <section key={day} aria-label={pageTitle('day', day)}>
          <h3 className="jp-QPI-AgendaDay">{pageTitle('day', day)}</h3>
          <ul className="jp-QPI-List">
            {rows.map(row => (
              <li key={'id' in row ? row.id : `${row.qpu} ${row.start_at}`}>
                <AgendaRow row={row} controller={controller} context={context} />
              </li>
            ))}
          </ul>
        </section>
      ))}
    </div>
  );
});

const AgendaRow = React.memo(function AgendaRow(props: {
  readonly row: Row;
  readonly controller: CalendarController;
  readonly context: IContext;
}): React.ReactElement {
  const { row, controller, context } = props;
  const { trans, model, zone } = context;
  const booking = 'id' in row ? row : null;
  const open = () => {
    if (booking !== null) {
      controller.open(booking);
    } else {
      controller.goTo(dayAt(Date.parse(row.start_at), zone));
      controller.setView('day');
    }
  };
  const past = Date.parse(row.end_at) <= model.now() ? ' jp-mod-past' : '';
  return (
    <button
      type="button"
      className={`jp-QPI-AgendaRow ${bookingClass(row.qpu, booking, context)}${past}`}
      onClick={open}
    >
      <span data-booking={booking?.id}>{clockText(row, zone)}</span>
      <span className="jp-QPI-BookingQpu">
        <span>{row.qpu}</span>
        <BookingMark booking={booking} trans={trans} />
      </span>
      <span className="jp-QPI-BookingTitle">
        {'count' in row ? trans._n('%1 booking', '%1 bookings', row.count) : titleOf(row, trans)}
      </span>
      <span>{booking && ownerOf(booking, model.me, trans)}</span>
    </button>
  );
});

function byStart(one: Row, other: Row): number {
  return Date.parse(one.start_at) - Date.parse(other.start_at) || one.qpu.localeCompare(other.qpu);
}
