// The week of a QPU. Everything is drawn from one plain value, `state` (qpi_jupyter/ui/week.py); what is asked goes to
// the kernel as a message, and its answer comes back with the same number.

const TOP_HOUR = 7;

class Calendar extends Dialogs {
  constructor(el, state, ask) {
    super(state, ask);
    this.pointer = drags(this.ui.scroll, {
      state: () => this.state, clock: () => this.clock, now: () => this.now(), wallAt: (event) => this.wallAt(event),
      draft: (draft) => this.show(draft), done: (draft, kind) => this.finish(draft, kind), pick: (id) => this.openBooking(id),
    });
    this.listen();
    el.replaceChildren(this.ui.root);
    this.update(state);
    // It can only be scrolled once it has a size.
    this.sized = new ResizeObserver(() => this.scrollToDay());
    this.sized.observe(this.ui.scroll);
    this.ticking = setInterval(() => this.drawNow(), 30_000);
  }

  stop() {
    clearInterval(this.ticking);
    clearTimeout(this.toastTimer);
    this.sized.disconnect();
  }

  update(next) {
    const turned = next.week !== this.state.week || next.qpu !== this.state.qpu || this.spot === null;
    this.take(next);
    if (turned) {
      this.spot = this.firstSpot();
      if (!this.pointer.busy()) this.closePop(false);
    }
    this.drawHead();
    this.drawBookings();
    this.drawNow();
    this.drawDraft();
    this.showSpot();
  }

  /** Where the arrow keys begin: the next full hour, or Monday morning of another week. */
  firstSpot() {
    const today = this.clock.dayOf(this.now());
    const passed = this.clock.wallOf(this.now()) - this.state.wall;
    const from = today >= 0 && today < 7 ? Math.ceil(passed / HOUR_S) * HOUR_S : 9 * HOUR_S;
    const start = this.clock.instantOf(this.state.wall + Math.min(from, 7 * DAY_S - HOUR_S));
    return { start, end: start + Math.max(this.state.step_s, HOUR_S) };
  }

  scrollToDay() {
    if (!this.ui.scroll.clientHeight) return;
    const at = (this.clock.wallOf(this.now()) - this.state.wall) % DAY_S;
    this.ui.scroll.scrollTop = topOf(Math.max(0, Math.min(TOP_HOUR * HOUR_S, at - HOUR_S)));
    this.sized.disconnect();
  }

  /** The step of the grid below the pointer, in wall seconds; null left of it. */
  wallAt(event) {
    const { state, ui } = this;
    const box = ui.columns[0].getBoundingClientRect();
    const last = ui.columns[6].getBoundingClientRect();
    if (event.clientX < box.left) return null;
    const day = Math.max(0, Math.min(6, Math.floor((event.clientX - box.left) / ((last.right - box.left) / 7))));
    const seconds = ((event.clientY - box.top) / HOUR_PX) * HOUR_S;
    const step = Math.floor(Math.max(0, Math.min(DAY_S - 1, seconds)) / state.step_s) * state.step_s;
    return state.wall + day * DAY_S + step;
  }

  inWeek(draft) {
    const { clock, state } = this;
    return draft.start >= clock.instantOf(state.wall) && draft.end <= clock.instantOf(state.wall + 7 * DAY_S);
  }

  /** Arrows on the free grid. */
  roam(event) {
    const next = arrowed(event, { ...this.spot, id: null }, this.clock, this.state.step_s, "both");
    if (next && this.inWeek(next)) {
      this.spot = next;
      this.showSpot();
      this.ui.cursor.scrollIntoView({ block: "nearest" });
      this.say(this.ui.cursor.getAttribute("aria-label"));
    } else if (!next) return false;
    return true;
  }

  /** Arrows shape a draft of a booking; Enter makes it so, Escape leaves it as it was. */
  nudge(event, id) {
    const booking = this.bookingOf(id);
    const may = booking ? changeable(booking, this.now()) : null;
    const next = may ? arrowed(event, this.draft?.id === id ? this.draft : { start: booking.start, end: booking.end, id }, this.clock, this.state.step_s, may) : null;
    if (next) {
      this.show(next);
      this.ui.body.querySelector(".qpi-cal-draft")?.scrollIntoView({ block: "nearest" });
      this.say(`${spanText(this.clock, next.start, next.end, longDay)}${clash(this.state, next) ? ", booked already" : ""}. Enter moves it there, Escape leaves it.`);
      return true;
    }
    if (event.key === "Enter" || event.key === " ") {
      if (this.draft?.id === id) this.finish(this.draft, "move");
      else this.openBooking(id);
      return true;
    }
    if ((event.key === "Delete" || event.key === "Backspace") && booking?.editable && booking.start > this.now()) {
      this.request({ do: "delete", id });
      this.ui.cursor.focus({ preventScroll: true });
      return true;
    }
    return false;
  }

  go(week) {
    this.closePop(false);
    this.show(null);
    return this.request({ do: "show", week, qpu: this.ui.qpu.value });
  }

  /** Whether a key was for the calendar. */
  key(event) {
    const { ui } = this;
    if (!ui.pop.hidden) {
      if (event.key === "Escape") this.closePop();
      return event.key === "Escape";
    }
    if (event.key === "Escape") {
      this.pointer.stop();
      this.say("Unchanged.");
      return true;
    }
    if (event.key === "PageUp" || event.key === "PageDown") {
      this.go(weekLater(this.state.week, event.key === "PageUp" ? -1 : 1));
      return true;
    }
    const id = event.target.closest?.("[data-booking]")?.dataset.booking;
    if (id) return this.nudge(event, id);
    return event.target === ui.cursor && this.roam(event);
  }

  listen() {
    const { ui } = this;
    ui.root.addEventListener("keydown", (event) => {
      if (this.key(event)) event.preventDefault();
      // Whatever is typed here is not for the notebook.
      event.stopPropagation();
    });
    ui.cursor.addEventListener("click", () => this.finish({ ...this.spot, id: null }, "make"));
    ui.cursor.addEventListener("focus", () => this.showSpot());
    ui.before.addEventListener("click", () => this.go(weekLater(this.state.week, -1)));
    ui.after.addEventListener("click", () => this.go(weekLater(this.state.week, 1)));
    ui.today.addEventListener("click", () => this.go(null));
    ui.qpu.addEventListener("change", () => this.go(this.state.week));
  }
}

export default {
  render({ model, el }) {
    const waiting = new Map();
    let number = 0;
    const ask = (message) => new Promise((resolve) => {
      waiting.set(++number, resolve);
      model.send({ ...message, n: number });
    });
    const hear = (message) => {
      waiting.get(message.n)?.(message);
      waiting.delete(message.n);
    };
    const view = new Calendar(el, model.get("state"), ask);
    const paint = () => view.update(model.get("state"));
    model.on("msg:custom", hear);
    model.on("change:state", paint);
    return () => { model.off("msg:custom", hear); model.off("change:state", paint); view.stop(); };
  },
};
