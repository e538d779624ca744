// What the calendar says, and what it asks the person and the kernel.

const UNDO_S = 12;

const actions = (...buttons) => make("div", { class: "qpi-cal-actions" }, ...buttons);

/** A button of a dialog; without `run` it submits the form. */
function action(text, run, kind) {
  const button = make("button", { type: run ? "button" : "submit", "data-kind": kind }, text);
  if (run) button.addEventListener("click", run);
  return button;
}

class Dialogs extends Drawing {
  /** `ask(message)` gives a promise of the kernel's answer. */
  constructor(state, ask) {
    super(state);
    this.ask = ask;
    this.toastTimer = 0;
  }

  toast(text, { bad = false, action = null, label = "", keep = bad } = {}) {
    clearTimeout(this.toastTimer);
    this.ui.toast.toggleAttribute("data-bad", bad);
    this.ui.toast.setAttribute("role", bad ? "alert" : "status");
    const close = make("button", { type: "button", class: "qpi-cal-close", "aria-label": "Close" }, "×");
    // What hides loses the focus, and the keys would go to the notebook.
    const hide = () => { this.ui.toast.hidden = true; this.ui.cursor.focus({ preventScroll: true }); };
    close.addEventListener("click", hide);
    const act = action ? make("button", { type: "button" }, label) : null;
    act?.addEventListener("click", () => { hide(); action(); });
    this.ui.toast.hidden = false;
    this.ui.toast.replaceChildren(...[make("span", {}, text), act, close].filter(Boolean));
    if (!keep) this.toastTimer = setTimeout(() => { this.ui.toast.hidden = true; }, UNDO_S * 1000);
  }

  /** Ask the kernel; where the time is taken, say by whom and offer what is free. */
  async request(message, instead) {
    this.ui.root.setAttribute("aria-busy", "true");
    const answer = await this.ask(message);
    this.ui.root.removeAttribute("aria-busy");
    if (answer.error === undefined) {
      if (answer.said) this.toast(answer.said, answer.undo ? { action: () => this.request({ do: "undo" }), label: "Undo" } : {});
      return true;
    }
    this.show(null);
    this.drawBookings();
    const other = answer.taken ? clash(this.state, message) : null;
    const text = other ? `Booked already: ${spanText(this.clock, other.start, other.end)}, ${other.own ? "by you" : other.who}.` : answer.error;
    const free = answer.free !== null && instead ? { start: answer.free, end: answer.free + (message.end - message.start) } : null;
    this.toast(text, free ? { bad: true, action: () => instead(free), label: `Take ${spanText(this.clock, free.start, free.end)}` } : { bad: true });
    return false;
  }

  book(values) {
    return this.request({ do: "book", ...values }, (free) => this.book({ ...values, ...free }));
  }

  move(values) {
    return this.request({ do: "move", ...values }, (free) => this.move({ ...values, ...free }));
  }

  closePop(focus = true) {
    if (this.ui.pop.hidden) return;
    const back = this.ui.pop.dataset.of;
    this.ui.pop.hidden = true;
    this.ui.pop.replaceChildren();
    this.show(null);
    if (!focus) return;
    const box = back ? this.boxOf(back) : null;
    (box ?? this.ui.cursor).focus({ preventScroll: true });
  }

  openPop(label, id, near, ...content) {
    this.ui.toast.hidden = true;
    this.ui.pop.setAttribute("aria-label", label);
    this.ui.pop.dataset.of = id ?? "";
    this.ui.pop.replaceChildren(...content);
    this.ui.pop.hidden = false;
    const stage = this.ui.pop.parentElement.getBoundingClientRect();
    const box = near?.getBoundingClientRect() ?? stage;
    const right = box.right - stage.left + 8;
    const left = right + this.ui.pop.offsetWidth < stage.width ? right : Math.max(4, box.left - stage.left - this.ui.pop.offsetWidth - 8);
    const top = Math.min(Math.max(box.top - stage.top, 48), Math.max(48, stage.height - this.ui.pop.offsetHeight - 8));
    this.ui.pop.style.left = `${Math.min(left, Math.max(4, stage.width - this.ui.pop.offsetWidth - 4))}px`;
    this.ui.pop.style.top = `${top}px`;
  }

  openNew(value) {
    this.show(value);
    const title = make("input", { type: "text", maxlength: 200, placeholder: "What for? (optional)", "aria-label": "Title", autocomplete: "off" });
    const mode = make("select", { "aria-label": "Mode" }, ...this.state.modes.map((name) => make("option", { value: name }, MODES[name])));
    const form = make("form", {}, make("p", { class: "qpi-cal-when" }, spanText(this.clock, value.start, value.end), make("small", {}, lengthText(value.end - value.start))),
      title, mode, actions(action("Cancel", () => this.closePop()), action("Book", null, "main")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const values = { start: value.start, end: value.end, title: title.value.trim(), mode: mode.value };
      this.closePop();
      this.book(values);
    });
    this.openPop("New booking", null, this.ui.body.querySelector(".qpi-cal-draft"), form);
    title.focus({ preventScroll: true });
  }

  openBooking(id) {
    const booking = this.bookingOf(id);
    if (!booking) return;
    const running = booking.start <= this.now() && this.now() < booking.end;
    const kind = { priority: "Priority", exclusive: "Exclusive", maintenance: "Maintenance" }[booking.mode];
    const lines = [
      ["", kind + (booking.series ? ", one of a series" : "")],
      ["Booked by", booking.who + (booking.own ? " (you)" : "")],
      booking.invited.length ? ["With", booking.invited.join(", ")] : null,
    ].filter(Boolean);
    const remove = () => { this.closePop(); this.request({ do: "delete", id }); };
    const buttons = [
      action("Close", () => this.closePop()),
      booking.editable && running ? action("Release the rest", () => { this.closePop(); this.request({ do: "release", id }); }) : null,
      booking.editable && booking.start > this.now() ? action("Delete", remove, "bad") : null,
    ].filter(Boolean);
    this.openPop(nameOf(booking, this.clock), id, this.boxOf(id),
      make("h4", {}, booking.title || kind),
      make("p", { class: "qpi-cal-when" }, spanText(this.clock, booking.start, booking.end), make("small", {}, lengthText(booking.end - booking.start))),
      make("dl", {}, ...lines.flatMap(([term, text]) => [make("dt", {}, term), make("dd", {}, text)])),
      actions(...buttons));
    this.ui.pop.querySelector("button").focus({ preventScroll: true });
  }

  /** A draft is done: ask for a new booking's title, or have the change made. */
  finish(value, kind) {
    const at = this.now();
    if (kind !== "make") {
      const { id } = value;
      this.show(value);
      this.move({ id, version: this.bookingOf(id).version, start: value.start, end: value.end }).then(() => this.show(null));
    } else if (value.end <= at) {
      this.show(null);
      this.toast("That time is over.", { bad: true, keep: false });
    } else {
      // Who points at the running half-hour wants it from now on, or from the next line of the lab's grid.
      const grid = this.state.grid_s || 1;
      this.openNew(value.start < at ? { ...value, start: Math.ceil(at / grid) * grid } : value);
    }
  }
}
