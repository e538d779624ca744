// The pieces that the calendar is drawn from: its frame, and the boxes of bookings.

const HOUR_PX = 44;
const LINE_PX = 16;
const TALL_PX = 72;
const MODES = {
  priority: "Priority: others may use idle time",
  exclusive: "Exclusive: nobody else's jobs run",
  maintenance: "Maintenance: nothing runs",
};

const topOf = (seconds) => (seconds / HOUR_S) * HOUR_PX;

/** Where a piece of a booking lies in its day's column. */
function place(el, piece) {
  el.style.top = `${topOf(piece.from)}px`;
  el.style.height = `${Math.max(topOf(piece.to - piece.from) - 2, 10)}px`;
  return el;
}

function nameOf(booking, clock) {
  const mode = booking.mode === "priority" ? "" : `, ${booking.mode}`;
  const invited = booking.invited.length ? `, with ${booking.invited.join(", ")}` : "";
  const who = booking.mine ? (booking.own ? "yours" : `${booking.who}, you are invited`) : booking.who;
  const title = booking.title ? `${booking.title}, ` : "";
  return `${title}${spanText(clock, booking.start, booking.end, longDay)}, ${who}${mode}${invited}`;
}

/** One piece of a booking, or of the draft of one. */
function block(booking, piece, clock, now) {
  const may = changeable(booking, now);
  const edge = (name) => make("span", { class: "qpi-cal-edge", "data-edge": name, "aria-hidden": "true" });
  const times = `${hhmm(clock.wallOf(booking.start))}–${hhmm(clock.wallOf(booking.end))}`;
  const tall = topOf(piece.to - piece.from);
  // Lines that fit: a title of one line, or of two where there is room.
  const room = Math.max(0, Math.floor((tall - 8) / LINE_PX) - (tall < TALL_PX ? 1 : 2));
  const what = booking.title || (booking.mode === "maintenance" ? "Maintenance" : booking.own ? "Yours" : booking.who);
  const mode = booking.mode === "priority" || what === "Maintenance" ? "" : booking.mode;
  const lines = [
    times,
    booking.own || booking.mode === "maintenance" || !booking.title ? "" : booking.who,
    [mode, booking.series ? "repeats" : ""].filter(Boolean).join(", "),
  ].filter(Boolean);
  const el = make(
    "div",
    {
      class: "qpi-cal-booking", role: "button", tabindex: 0, "data-booking": booking.id, "data-mode": booking.mode,
      "data-mine": booking.mine, "data-past": booking.end <= now, "data-may": may, "data-tall": tall >= TALL_PX, "data-short": tall < 30,
      "aria-label": nameOf(booking, clock), "aria-haspopup": "dialog", title: nameOf(booking, clock),
    },
    make("strong", {}, what),
    ...lines.slice(0, room).map((text) => make("span", {}, text)),
    may === "all" ? edge("start") : null,
    may ? edge("end") : null,
  );
  return place(el, piece);
}

/** The frame that stays: header, seven columns, the place for messages. */
function frame() {
  const button = (label, text, extra = {}) => make("button", { type: "button", "aria-label": label, title: label, ...extra }, text);
  const ui = {
    qpu: make("select", { "aria-label": "QPU" }),
    title: make("h3", { class: "qpi-cal-title", "aria-live": "polite" }),
    status: make("span", { class: "qpi-cal-status" }),
    zone: make("span", { class: "qpi-cal-zone", title: "Times are shown in this time zone" }),
    before: button("Previous week", "‹"),
    today: make("button", { type: "button" }, "Today"),
    after: button("Next week", "›"),
    lost: make("p", { class: "qpi-cal-lost", hidden: true }, "No connection to the lab: trying again. The bookings themselves stay."),
    days: make("div", { class: "qpi-cal-days" }),
    body: make("div", { class: "qpi-cal-body" }),
    scroll: make("div", { class: "qpi-cal-scroll" }),
    cursor: make("button", { type: "button", class: "qpi-cal-cursor" }),
    pop: make("div", { class: "qpi-cal-pop", role: "dialog", hidden: true }),
    toast: make("div", { class: "qpi-cal-toast", hidden: true }),
    said: make("div", { class: "qpi-cal-quiet", role: "status", "aria-live": "polite" }),
  };
  const hours = make("div", { class: "qpi-cal-hours", "aria-hidden": "true" });
  for (let hour = 1; hour < 24; hour++) {
    hours.append(make("span", { style: `top:${hour * HOUR_PX}px` }, `${pad(hour)}:00`));
  }
  ui.columns = Array.from({ length: 7 }, (_, day) => make("div", { class: "qpi-cal-column", "data-day": day }));
  ui.body.style.height = `${24 * HOUR_PX}px`;
  ui.body.append(hours, ...ui.columns);
  ui.scroll.append(ui.days, ui.body);
  const swatch = (kind, text) => make("span", { class: "qpi-cal-key" }, make("i", { "data-kind": kind, "aria-hidden": "true" }), text);
  // Suppressed: the notebook's own shortcuts, which would take the arrow keys and Delete.
  ui.root = make(
    "section",
    { class: "qpi-cal", "data-lm-suppress-shortcuts": "true" },
    make("header", {}, ui.qpu, make("div", { class: "qpi-cal-nav", role: "group", "aria-label": "Week" }, ui.before, ui.today, ui.after), ui.title, ui.status, ui.zone),
    ui.lost,
    make("div", { class: "qpi-cal-stage" }, ui.scroll, ui.pop, ui.toast),
    make("footer", {}, swatch("mine", "Yours"), swatch("other", "Others"), swatch("maintenance", "Maintenance"),
      make("span", { class: "qpi-cal-hint" }, "Drag to book. Keys: arrows, Enter; Shift + arrows change the length.")),
    ui.said,
  );
  return ui;
}
