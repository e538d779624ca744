// What the calendar draws. `Drawing` holds what it knows; `Dialogs` and `Calendar` add what can be done with it.

class Drawing {
  constructor(state) {
    this.ui = frame();
    this.take(state);
    this.draft = null;
    this.spot = null;
  }

  take(state) {
    this.state = state;
    this.clock = wallClock(state);
    this.since = performance.now();
  }

  now() {
    return this.state.now + (performance.now() - this.since) / 1000;
  }

  bookingOf(id) {
    return this.state.bookings.find((b) => b.id === id);
  }

  boxOf(id) {
    return this.ui.body.querySelector(`[data-booking="${CSS.escape(id)}"]`);
  }

  /** What a screen reader says. */
  say(text) {
    this.ui.said.textContent = text;
  }

  /** The draft of a change, or none. */
  show(draft) {
    this.draft = draft;
    this.drawDraft();
  }

  drawHead() {
    this.ui.root.setAttribute("aria-label", `Calendar of ${this.state.qpu}`);
    this.ui.qpu.replaceChildren(...this.state.qpus.map((name) => make("option", { value: name, selected: name === this.state.qpu }, name)));
    this.ui.title.textContent = this.state.title;
    this.ui.status.textContent = this.state.status === "online" ? "" : this.state.status;
    this.ui.zone.textContent = this.state.zone;
    this.ui.lost.hidden = !this.state.lost;
    this.ui.lost.title = this.state.lost;
    const today = this.clock.dayOf(this.now());
    this.ui.days.replaceChildren(make("span", { class: "qpi-cal-corner" }), ...this.ui.columns.map((_, day) => {
      const wall = this.state.wall + day * DAY_S;
      return make("div", { "data-today": day === today, "aria-current": day === today ? "date" : null },
        make("span", {}, dateOf(wall, { weekday: "short" })), make("b", {}, dateOf(wall, { day: "numeric" })));
    }));
  }

  drawNow() {
    for (const old of this.ui.body.querySelectorAll(".qpi-cal-now")) old.remove();
    const at = this.clock.wallOf(this.now()) - this.state.wall;
    this.ui.columns.forEach((column, day) => {
      const past = Math.max(0, Math.min(DAY_S, at - day * DAY_S));
      column.style.setProperty("--qpi-past", `${topOf(past)}px`);
      if (past > 0 && past < DAY_S) column.append(make("div", { class: "qpi-cal-now", style: `top:${topOf(past)}px`, "aria-hidden": "true" }));
    });
  }

  drawBookings() {
    const held = document.activeElement?.dataset?.booking;
    for (const old of this.ui.body.querySelectorAll("[data-booking]")) old.remove();
    for (const booking of this.state.bookings) {
      for (const piece of pieces(this.clock, this.state, booking.start, booking.end)) {
        this.ui.columns[piece.day].append(block(booking, piece, this.clock, this.now()));
      }
    }
    if (held) this.boxOf(held)?.focus({ preventScroll: true });
  }

  drawDraft() {
    for (const old of this.ui.body.querySelectorAll(".qpi-cal-draft")) old.remove();
    for (const box of this.ui.body.querySelectorAll("[data-booking]")) box.toggleAttribute("data-lifted", box.dataset.booking === this.draft?.id);
    if (!this.draft) return;
    const other = clash(this.state, this.draft);
    for (const piece of pieces(this.clock, this.state, this.draft.start, this.draft.end)) {
      const text = `${hhmm(this.clock.wallOf(this.draft.start))}–${hhmm(this.clock.wallOf(this.draft.end))}`;
      const box = make("div", { class: "qpi-cal-draft", "data-clash": other !== null, "aria-hidden": "true" },
        make("strong", {}, text), make("span", {}, other ? "booked already" : lengthText(this.draft.end - this.draft.start)));
      this.ui.columns[piece.day].append(place(box, piece));
    }
  }

  /** The time that the arrow keys have come to. */
  showSpot() {
    const [piece] = pieces(this.clock, this.state, this.spot.start, this.spot.end);
    place(this.ui.cursor, piece ?? { from: 0, to: this.state.step_s });
    const column = this.ui.columns[piece?.day ?? 0];
    if (this.ui.cursor.parentElement !== column) {
      // Who is moved loses the focus.
      const held = document.activeElement === this.ui.cursor;
      column.append(this.ui.cursor);
      if (held) this.ui.cursor.focus({ preventScroll: true });
    }
    const other = clash(this.state, { ...this.spot, id: null });
    this.ui.cursor.setAttribute("aria-label", `${spanText(this.clock, this.spot.start, this.spot.end, longDay)}, ${other ? `booked: ${nameOf(other, this.clock)}` : "free"}. Enter books it.`);
  }
}
