// Making, moving and resizing, by pointer and by keyboard. Both only shape a draft, `{start, end, id}` (instants; `id`
// is the booking that is being changed), and hand it over when it is done.

const HELD_PX = 4;

/** What a draft becomes when one edge, or both, go by some seconds; it never becomes shorter than a step. */
function shifted(draft, by, edge, step) {
  const start = edge === "end" ? draft.start : draft.start + by;
  const end = edge === "start" ? draft.end : draft.end + by;
  if (end - start >= step) return { ...draft, start, end };
  return edge === "start" ? { ...draft, start: end - step } : { ...draft, end: start + step };
}

/** The other booking that a draft runs into, if any. */
function clash(state, draft) {
  return state.bookings.find((b) => b.id !== draft.id && b.start < draft.end && draft.start < b.end) ?? null;
}

/** Whether the pointer or the keys may change a booking, and which of its edges. */
function changeable(booking, now) {
  if (!booking.editable || booking.end <= now) return null;
  return booking.start > now ? "all" : "end";
}

/**
 * Drags on the grid.
 *
 * @param grid the scrolling element; @param view what the calendar lends: state(), clock(), now(), wallAt(event),
 * draft(value | null) shows it, done(draft, kind) takes it over, pick(id) opens a booking.
 */
function drags(grid, view) {
  let drag = null;

  const begin = (event) => {
    if (event.button !== 0 || drag) return;
    const box = event.target.closest("[data-booking]");
    const wall = view.wallAt(event);
    if (wall === null || (!box && !event.target.closest(".qpi-cal-column"))) return;
    const from = { x: event.clientX, y: event.clientY, pointer: event.pointerId, moved: false };
    if (!box) {
      // A finger scrolls; it books by a tap.
      drag = { ...from, kind: "make", anchor: wall, touch: event.pointerType === "touch" };
    } else {
      const booking = view.state().bookings.find((b) => b.id === box.dataset.booking);
      const may = booking ? changeable(booking, view.now()) : null;
      const wanted = event.target.closest("[data-edge]")?.dataset.edge ?? "move";
      const kind = may === "all" || wanted === may ? wanted : "pick";
      drag = { ...from, kind, booking, anchor: wall, touch: false };
      event.preventDefault();
      box.focus({ preventScroll: true });
    }
    grid.setPointerCapture(event.pointerId);
  };

  const shape = (event) => {
    const { clock, step } = { clock: view.clock(), step: view.state().step_s };
    const wall = view.wallAt(event);
    if (drag.kind === "make") {
      const low = Math.min(wall, drag.anchor);
      const high = Math.max(wall, drag.anchor) + step;
      return { start: clock.instantOf(low), end: clock.instantOf(high), id: null };
    }
    const by = wall - drag.anchor;
    const { start, end, id } = drag.booking;
    const moved = { start: clock.instantOf(clock.wallOf(start) + by), end: clock.instantOf(clock.wallOf(end) + by), id };
    // Moved across a change of the clocks a booking keeps its length.
    if (drag.kind === "move") return { ...moved, end: moved.start + (end - start) };
    return shifted({ start, end, id }, drag.kind === "end" ? moved.end - end : moved.start - start, drag.kind, step);
  };

  const go = (event) => {
    if (!drag || event.pointerId !== drag.pointer) return;
    drag.moved ||= Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > HELD_PX;
    if (drag.moved && drag.kind !== "pick" && !drag.touch) view.draft(shape(event));
  };

  const end = (event) => {
    if (!drag || event.pointerId !== drag.pointer) return;
    const { kind, moved, touch, booking, anchor } = drag;
    const draft = moved && kind !== "pick" && !touch ? shape(event) : null;
    drag = null;
    if (kind !== "make" && !draft) view.pick(booking.id);
    else if (draft) view.done(draft, kind);
    else if (!moved) {
      const start = view.clock().instantOf(anchor);
      const hour = Math.max(HOUR_S, view.state().shortest_s);
      view.done({ start, end: start + hour, id: null }, "make");
    }
  };

  const stop = () => { drag = null; view.draft(null); };
  grid.addEventListener("pointerdown", begin);
  grid.addEventListener("pointermove", go);
  grid.addEventListener("pointerup", end);
  grid.addEventListener("pointercancel", stop);
  return { stop, busy: () => drag !== null };
}

const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

/** What an arrow key makes of a draft: whole days sideways, steps up and down; with Shift its end alone. */
function arrowed(event, draft, clock, step, only) {
  const arrow = ARROWS[event.key];
  if (!arrow || event.altKey || event.ctrlKey || event.metaKey) return null;
  const edge = event.shiftKey || only === "end" ? "end" : "both";
  const at = (instant) => clock.instantOf(clock.wallOf(instant) + arrow[0] * DAY_S + arrow[1] * step);
  if (edge === "end") return shifted(draft, at(draft.end) - draft.end, "end", step);
  const start = at(draft.start);
  return { ...draft, start, end: start + (draft.end - draft.start) };
}
