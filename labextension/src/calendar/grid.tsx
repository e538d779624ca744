import type { EventInput } from '@fullcalendar/react';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { BookingModel } from '../wire';
import { Agenda } from './agenda';
import { cellAt, cellEnd, STEP_MINUTES } from './cell';
import { clustered } from './clusters';
import type { CalendarController, IControllerState } from './controller';
import { clusterEntryOf, entryOf, type IContext } from './entries';
import { cellInterval, type ICursor, inCursor, onKey } from './keys';
import { Lanes } from './lanes';
import type { IInterval } from './refusal';
import { type ITimeGridProps, keepHours, TimeGrid, WIDTHS, weekWidth } from './timegrid';
import { bookingText, intervalText } from './words';
import { wallTime } from './zones';

/** More entries than this are put together, so that a full week stays quick. */
const MOST_ENTRIES = 200;
const DAY_MINUTES = 24 * 60;

interface IGridProps {
  readonly controller: CalendarController;
  readonly state: IControllerState;
  /** What is booked on the page, on the QPUs that are shown. */
  readonly bookings: readonly BookingModel[];
  readonly context: IContext;
  readonly shown: readonly string[];
  readonly page: IInterval;
  readonly onHelp: () => void;
}

/** The bookings on a grid of days and hours, or as a list; by mouse, touch and keyboard. */
export function Grid(props: IGridProps): React.ReactElement {
  const { controller, state, bookings, context, shown, page } = props;
  const { trans, zone } = context;
  const root = React.useRef<HTMLElement>(null);
  const [cursor, setCursor] = React.useState<ICursor | null>(null);
  // Without dependencies: another page of the calendar has other lanes.
  React.useLayoutEffect(() => showCursor(root.current, cursor, state, trans));
  // Without dependencies: it is drawn some time after it was booked.
  React.useEffect(() => {
    const entry =
      state.sought && root.current?.querySelector(`[data-booking="${CSS.escape(state.sought)}"]`);
    if (entry) {
      entry.scrollIntoView({ block: 'nearest', inline: 'nearest' });
      controller.found();
    }
  });
  const onPick = React.useCallback<ITimeGridProps['onPick']>(
    (moment, qpu) => {
      const cell = cellAt(wallTime(moment, zone));
      setCursor({ cell, qpu });
      controller.goTo(cell.start.slice(0, 10));
    },
    [controller, zone]
  );
  const onKeyDown = (event: React.KeyboardEvent<HTMLElement>) => {
    if (onKey(event, { ...props, cursor, setCursor })) {
      event.preventDefault();
      event.stopPropagation();
    }
  };
  const { view, day } = state;
  const byQpu = useEntries(bookings, context);
  const common = { controller, context, day, onPick };
  // A narrow window shows a part of the week: that with the chosen day.
  React.useEffect(() => {
    const node = root.current;
    if (view !== 'week' || node === null) {
      return undefined;
    }
    const sized = new ResizeObserver(() => showDay(node, day));
    sized.observe(node);
    return () => sized.disconnect();
  }, [view, day]);
  const together = React.useMemo(() => [...byQpu.values()].flat(), [byQpu]);
  return (
    <section
      ref={root}
      className={`jp-QPI-Grid jp-mod-${view}`}
      aria-label={trans.__('Calendar')}
      aria-describedby="qpi-calendar-keys"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the cell under the arrow keys lives here
      tabIndex={0}
      onKeyDown={onKeyDown}
      onMouseDown={letGoByEscape}
      onScroll={keepHours}
    >
      {view === 'agenda' && <Agenda {...{ controller, context, bookings, page }} />}
      {view === 'day' && <Lanes {...common} qpus={shown} entries={byQpu} />}
      {view === 'week' && (
        <div className="jp-QPI-Week" style={{ minWidth: weekWidth(shown.length) }}>
          <TimeGrid {...common} qpu={shown[0] ?? null} entries={together} />
        </div>
      )}
      <p id="qpi-calendar-keys" className="jp-QPI-Hidden">
        {trans.__(
          'Arrow keys select a time, Enter books it or opens the booking there, ? lists all shortcuts.'
        )}
      </p>
      <p role="status" className="jp-QPI-Hidden">
        {cursor && spoken(cursor, props)}
      </p>
    </section>
  );
}

type Entries = ReadonlyMap<string, readonly EventInput[]>;

/** The entries of each QPU; those of a QPU are the same array as long as nothing of it changes. */
function useEntries(bookings: readonly BookingModel[], context: IContext): Entries {
  const drawn = React.useMemo(() => new WeakMap<BookingModel, EventInput>(), [context]);
  const before = React.useRef<Entries>(new Map());
  return React.useMemo(() => {
    const { single, clusters } = clustered(bookings, MOST_ENTRIES);
    const found = new Map<string, EventInput[]>();
    const add = (qpu: string, entry: EventInput) => {
      const entries = found.get(qpu);
      entries ? entries.push(entry) : found.set(qpu, [entry]);
    };
    for (const booking of single) {
      const entry = drawn.get(booking) ?? entryOf(booking, context);
      drawn.set(booking, entry);
      add(booking.qpu, entry);
    }
    for (const cluster of clusters) {
      add(cluster.qpu, clusterEntryOf(cluster, context));
    }
    before.current = new Map(
      [...found].map(([qpu, entries]) => [qpu, unlessSame(before.current.get(qpu), entries)])
    );
    return before.current;
  }, [bookings, context, drawn]);
}

/** The array that was there before, if it has the same things in it. */
function unlessSame<T>(before: readonly T[] | undefined, now: readonly T[]): readonly T[] {
  const same =
    before?.length === now.length && before.every((thing, place) => thing === now[place]);
  return same && before ? before : now;
}

/** What a screen reader says of the cursor. */
function spoken(cursor: ICursor, { state, bookings, context }: IGridProps): string {
  const { trans, model, zone } = context;
  const found = inCursor({ state, bookings, cursor });
  const what = found.map(booking => bookingText(booking, model.me, zone, trans));
  const when = intervalText(cellInterval(cursor.cell, zone), zone);
  const where = state.view === 'day' ? cursor.qpu : null;
  return [where, when, what.join('; ') || trans.__('free')].filter(Boolean).join(': ');
}

/** Mark the cursor in the lane of its day, and bring it into view; the returned function takes the mark away. */
function showCursor(
  root: HTMLElement | null,
  cursor: ICursor | null,
  { view }: IControllerState,
  trans: TranslationBundle
): (() => void) | undefined {
  if (cursor === null) {
    return undefined;
  }
  const { cell, qpu } = cursor;
  const inLane = view === 'day' && qpu !== null ? `[data-qpu="${CSS.escape(qpu)}"] ` : '';
  const lane = root?.querySelector(
    `${inLane}[role="cell"][data-date="${cell.start.slice(0, 10)}"]`
  );
  if (!lane) {
    return undefined;
  }
  const mark = document.createElement('div');
  mark.className = 'jp-QPI-Cell';
  mark.textContent = trans.__('%1 – %2', cell.start.slice(11), cellEnd(cell).slice(11));
  const minutes = 60 * Number(cell.start.slice(11, 13)) + Number(cell.start.slice(14));
  mark.style.top = `${(100 * minutes) / DAY_MINUTES}%`;
  mark.style.height = `${(100 * cell.steps * STEP_MINUTES) / DAY_MINUTES}%`;
  lane.append(mark);
  mark.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  return () => mark.remove();
}

/** Bring the column of a day into view, beside the hours, unless it is there. */
function showDay(root: HTMLElement, day: string): void {
  const column = root.querySelector(`[role="cell"][data-date="${day}"]`)?.getBoundingClientRect();
  const { left, right } = root.getBoundingClientRect();
  if (column && (column.left < left + WIDTHS.hours || column.right > right)) {
    root.scrollLeft += column.left - left - WIDTHS.hours;
  }
}

/** While the button is down, Escape drops what is dragged where nothing takes it: all stays as it was. */
function letGoByEscape(): void {
  const onEscape = (event: KeyboardEvent) => {
    if (event.key === 'Escape') {
      event.preventDefault();
      event.stopPropagation();
      const nowhere = { bubbles: true, clientX: -10_000, clientY: -10_000 };
      document.dispatchEvent(new MouseEvent('mousemove', nowhere));
      document.dispatchEvent(new MouseEvent('mouseup', nowhere));
    }
  };
  const stop = () => document.removeEventListener('keydown', onEscape, true);
  document.addEventListener('keydown', onEscape, true);
  document.addEventListener('mouseup', stop, { once: true });
}
