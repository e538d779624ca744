// The week of a QPU. Everything is drawn from one plain value, `state` (qpi_jupyter/ui/week.py); what is asked goes to
// the kernel as a message, and its answer comes back with the same number.

const TOP_HOUR = 7;
const UNDO_S = 12;

/** Put a calendar into `el`; `ask(message)` gives a promise of the kernel's answer. */
function mountCalendar(el, first, ask) {
  const ui = frame();
  let state = first;
  let clock = wallClock(state);
  let since = performance.now();
  let draft = null;
  let spot = null;
  let toastTimer = 0;

  const now = () => state.now + (performance.now() - since) / 1000;
  const say = (text) => { ui.said.textContent = text; };
  const bookingOf = (id) => state.bookings.find((b) => b.id === id);

  // --- what is drawn -----------------------------------------------------------------------------------------------

  const drawHead = () => {
    ui.root.setAttribute("aria-label", `Calendar of ${state.qpu}`);
    ui.qpu.replaceChildren(...state.qpus.map((name) => make("option", { value: name, selected: name === state.qpu }, name)));
    ui.title.textContent = state.title;
    ui.status.textContent = state.status === "online" ? "" : state.status;
    ui.zone.textContent = state.zone;
    ui.lost.hidden = !state.lost;
    ui.lost.title = state.lost;
    const today = clock.dayOf(now());
    ui.days.replaceChildren(make("span", { class: "qpi-cal-corner" }), ...ui.columns.map((_, day) => {
      const wall = state.wall + day * DAY_S;
      return make("div", { "data-today": day === today, "aria-current": day === today ? "date" : null },
        make("span", {}, dateOf(wall, { weekday: "short" })), make("b", {}, dateOf(wall, { day: "numeric" })));
    }));
  };

  const drawNow = () => {
    for (const old of ui.body.querySelectorAll(".qpi-cal-now")) old.remove();
    const at = clock.wallOf(now()) - state.wall;
    ui.columns.forEach((column, day) => {
      const past = Math.max(0, Math.min(DAY_S, at - day * DAY_S));
      column.style.setProperty("--qpi-past", `${topOf(past)}px`);
      if (past > 0 && past < DAY_S) column.append(make("div", { class: "qpi-cal-now", style: `top:${topOf(past)}px`, "aria-hidden": "true" }));
    });
  };

  const drawBookings = () => {
    const held = document.activeElement?.dataset?.booking;
    for (const old of ui.body.querySelectorAll("[data-booking]")) old.remove();
    for (const booking of state.bookings) {
      for (const piece of pieces(clock, state, booking.start, booking.end)) {
        ui.columns[piece.day].append(block(booking, piece, clock, now()));
      }
    }
    if (held) ui.body.querySelector(`[data-booking="${CSS.escape(held)}"]`)?.focus({ preventScroll: true });
  };

  const drawDraft = () => {
    for (const old of ui.body.querySelectorAll(".qpi-cal-draft")) old.remove();
    for (const box of ui.body.querySelectorAll("[data-booking]")) box.toggleAttribute("data-lifted", box.dataset.booking === draft?.id);
    if (!draft) return;
    const other = clash(state, draft);
    for (const piece of pieces(clock, state, draft.start, draft.end)) {
      const text = `${hhmm(clock.wallOf(draft.start))}–${hhmm(clock.wallOf(draft.end))}`;
      const box = make("div", { class: "qpi-cal-draft", "data-clash": other !== null, "aria-hidden": "true" },
        make("strong", {}, text), make("span", {}, other ? "booked already" : lengthText(draft.end - draft.start)));
      ui.columns[piece.day].append(place(box, piece));
    }
  };

  const show = (value) => { draft = value; drawDraft(); };

  // --- messages ----------------------------------------------------------------------------------------------------

  const toast = (text, { bad = false, action = null, label = "", keep = bad } = {}) => {
    clearTimeout(toastTimer);
    ui.toast.toggleAttribute("data-bad", bad);
    ui.toast.setAttribute("role", bad ? "alert" : "status");
    const close = make("button", { type: "button", class: "qpi-cal-close", "aria-label": "Close" }, "×");
    // What hides loses the focus, and the keys would go to the notebook.
    const hide = () => { ui.toast.hidden = true; ui.cursor.focus({ preventScroll: true }); };
    close.addEventListener("click", hide);
    const act = action ? make("button", { type: "button" }, label) : null;
    act?.addEventListener("click", () => { hide(); action(); });
    ui.toast.hidden = false;
    ui.toast.replaceChildren(...[make("span", {}, text), act, close].filter(Boolean));
    if (!keep) toastTimer = setTimeout(() => { ui.toast.hidden = true; }, UNDO_S * 1000);
  };

  /** Ask the kernel; where the time is taken, say by whom and offer what is free. */
  const request = async (message, instead) => {
    ui.root.setAttribute("aria-busy", "true");
    const answer = await ask(message);
    ui.root.removeAttribute("aria-busy");
    if (answer.error === undefined) {
      if (answer.said) toast(answer.said, answer.undo ? { action: () => request({ do: "undo" }), label: "Undo" } : {});
      return true;
    }
    show(null);
    drawBookings();
    const other = answer.taken ? clash(state, message) : null;
    const text = other ? `Booked already: ${spanText(clock, other.start, other.end)}, ${other.own ? "by you" : other.who}.` : answer.error;
    const free = answer.free !== null && instead ? { start: answer.free, end: answer.free + (message.end - message.start) } : null;
    toast(text, free ? { bad: true, action: () => instead(free), label: `Take ${spanText(clock, free.start, free.end)}` } : { bad: true });
    return false;
  };

  const book = (values) => request({ do: "book", ...values }, (free) => book({ ...values, ...free }));
  const move = (values) => request({ do: "move", ...values }, (free) => move({ ...values, ...free }));

  // --- the dialog --------------------------------------------------------------------------------------------------

  const closePop = (focus = true) => {
    if (ui.pop.hidden) return;
    const back = ui.pop.dataset.of;
    ui.pop.hidden = true;
    ui.pop.replaceChildren();
    show(null);
    if (!focus) return;
    const box = back ? ui.body.querySelector(`[data-booking="${CSS.escape(back)}"]`) : null;
    (box ?? ui.cursor).focus({ preventScroll: true });
  };

  const openPop = (label, id, near, ...content) => {
    ui.toast.hidden = true;
    ui.pop.setAttribute("aria-label", label);
    ui.pop.dataset.of = id ?? "";
    ui.pop.replaceChildren(...content);
    ui.pop.hidden = false;
    const stage = ui.pop.parentElement.getBoundingClientRect();
    const box = near?.getBoundingClientRect() ?? stage;
    const right = box.right - stage.left + 8;
    const left = right + ui.pop.offsetWidth < stage.width ? right : Math.max(4, box.left - stage.left - ui.pop.offsetWidth - 8);
    const top = Math.min(Math.max(box.top - stage.top, 48), Math.max(48, stage.height - ui.pop.offsetHeight - 8));
    ui.pop.style.left = `${Math.min(left, Math.max(4, stage.width - ui.pop.offsetWidth - 4))}px`;
    ui.pop.style.top = `${top}px`;
  };

  const actions = (...buttons) => make("div", { class: "qpi-cal-actions" }, ...buttons);
  const action = (text, run, kind) => {
    const button = make("button", { type: run ? "button" : "submit", "data-kind": kind }, text);
    if (run) button.addEventListener("click", run);
    return button;
  };

  const openNew = (value) => {
    show(value);
    const title = make("input", { type: "text", maxlength: 200, placeholder: "What for? (optional)", "aria-label": "Title", autocomplete: "off" });
    const mode = make("select", { "aria-label": "Mode" }, ...state.modes.map((name) => make("option", { value: name }, MODES[name])));
    const form = make("form", {}, make("p", { class: "qpi-cal-when" }, spanText(clock, value.start, value.end), make("small", {}, lengthText(value.end - value.start))),
      title, mode, actions(action("Cancel", () => closePop()), action("Book", null, "main")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const values = { start: value.start, end: value.end, title: title.value.trim(), mode: mode.value };
      closePop();
      book(values);
    });
    openPop("New booking", null, ui.body.querySelector(".qpi-cal-draft"), form);
    title.focus({ preventScroll: true });
  };

  const openBooking = (id) => {
    const booking = bookingOf(id);
    if (!booking) return;
    const running = booking.start <= now() && now() < booking.end;
    const kind = { priority: "Priority", exclusive: "Exclusive", maintenance: "Maintenance" }[booking.mode];
    const lines = [
      ["", kind + (booking.series ? ", one of a series" : "")],
      ["Booked by", booking.who + (booking.own ? " (you)" : "")],
      booking.invited.length ? ["With", booking.invited.join(", ")] : null,
    ].filter(Boolean);
    const remove = () => { closePop(); request({ do: "delete", id }); };
    const buttons = [
      action("Close", () => closePop()),
      booking.editable && running ? action("Release the rest", () => { closePop(); request({ do: "release", id }); }) : null,
      booking.editable && booking.start > now() ? action("Delete", remove, "bad") : null,
    ].filter(Boolean);
    const box = ui.body.querySelector(`[data-booking="${CSS.escape(id)}"]`);
    openPop(nameOf(booking, clock), id, box,
      make("h4", {}, booking.title || kind),
      make("p", { class: "qpi-cal-when" }, spanText(clock, booking.start, booking.end), make("small", {}, lengthText(booking.end - booking.start))),
      make("dl", {}, ...lines.flatMap(([term, text]) => [make("dt", {}, term), make("dd", {}, text)])),
      actions(...buttons));
    ui.pop.querySelector("button").focus({ preventScroll: true });
  };

  // --- pointer and keys --------------------------------------------------------------------------------------------

  const view = {
    state: () => state, clock: () => clock, now, draft: show, pick: openBooking,
    wallAt: (event) => {
      const box = ui.columns[0].getBoundingClientRect();
      const last = ui.columns[6].getBoundingClientRect();
      if (event.clientX < box.left) return null;
      const day = Math.max(0, Math.min(6, Math.floor((event.clientX - box.left) / ((last.right - box.left) / 7))));
      const seconds = ((event.clientY - box.top) / HOUR_PX) * HOUR_S;
      const step = Math.floor(Math.max(0, Math.min(DAY_S - 1, seconds)) / state.step_s) * state.step_s;
      return state.wall + day * DAY_S + step;
    },
    done: (value, kind) => finish(value, kind),
  };

  /** A draft is done: ask for a new booking's title, or have the change made. */
  const finish = (value, kind) => {
    const at = now();
    if (kind !== "make") {
      const { id } = value;
      show(value);
      move({ id, version: bookingOf(id).version, start: value.start, end: value.end }).then(() => show(null));
    } else if (value.end <= at) {
      show(null);
      toast("That time is over.", { bad: true, keep: false });
    } else {
      // Who points at the running half-hour wants it from now on, or from the next line of the lab's grid.
      const grid = state.grid_s || 1;
      openNew(value.start < at ? { ...value, start: Math.ceil(at / grid) * grid } : value);
    }
  };

  const pointer = drags(ui.scroll, view);

  const showSpot = () => {
    const [piece] = pieces(clock, state, spot.start, spot.end);
    place(ui.cursor, piece ?? { from: 0, to: state.step_s });
    const column = ui.columns[piece?.day ?? 0];
    if (ui.cursor.parentElement !== column) {
      // Who is moved loses the focus.
      const held = document.activeElement === ui.cursor;
      column.append(ui.cursor);
      if (held) ui.cursor.focus({ preventScroll: true });
    }
    const other = clash(state, { ...spot, id: null });
    ui.cursor.setAttribute("aria-label", `${spanText(clock, spot.start, spot.end, longDay)}, ${other ? `booked: ${nameOf(other, clock)}` : "free"}. Enter books it.`);
  };

  const inWeek = (value) => value.start >= clock.instantOf(state.wall) && value.end <= clock.instantOf(state.wall + 7 * DAY_S);

  const roam = (event) => {
    const next = arrowed(event, { ...spot, id: null }, clock, state.step_s, "both");
    if (next && inWeek(next)) {
      spot = next;
      showSpot();
      ui.cursor.scrollIntoView({ block: "nearest" });
      say(ui.cursor.getAttribute("aria-label"));
    } else if (!next) return false;
    return true;
  };

  /** Arrows shape a draft of a booking; Enter makes it so, Escape leaves it as it was. */
  const nudge = (event, id) => {
    const booking = bookingOf(id);
    const may = booking ? changeable(booking, now()) : null;
    const next = may ? arrowed(event, draft?.id === id ? draft : { start: booking.start, end: booking.end, id }, clock, state.step_s, may) : null;
    if (next) {
      show(next);
      ui.body.querySelector(".qpi-cal-draft")?.scrollIntoView({ block: "nearest" });
      say(`${spanText(clock, next.start, next.end, longDay)}${clash(state, next) ? ", booked already" : ""}. Enter moves it there, Escape leaves it.`);
      return true;
    }
    if (event.key === "Enter" || event.key === " ") {
      if (draft?.id === id) finish(draft, "move");
      else openBooking(id);
      return true;
    }
    if ((event.key === "Delete" || event.key === "Backspace") && booking?.editable && booking.start > now()) {
      request({ do: "delete", id });
      ui.cursor.focus({ preventScroll: true });
      return true;
    }
    return false;
  };

  const go = (week) => { closePop(false); show(null); return request({ do: "show", week, qpu: ui.qpu.value }); };

  ui.root.addEventListener("keydown", (event) => {
    const id = event.target.closest?.("[data-booking]")?.dataset.booking;
    const done = !ui.pop.hidden ? event.key === "Escape" && (closePop(), true)
      : event.key === "Escape" ? (pointer.stop(), say("Unchanged."), true)
      : event.key === "PageUp" || event.key === "PageDown" ? (go(weekLater(state.week, event.key === "PageUp" ? -1 : 1)), true)
      : id ? nudge(event, id)
      : event.target === ui.cursor ? roam(event) : false;
    if (done) event.preventDefault();
    // Whatever is typed here is not for the notebook.
    event.stopPropagation();
  });
  ui.cursor.addEventListener("click", () => finish({ ...spot, id: null }, "make"));
  ui.cursor.addEventListener("focus", showSpot);
  ui.before.addEventListener("click", () => go(weekLater(state.week, -1)));
  ui.after.addEventListener("click", () => go(weekLater(state.week, 1)));
  ui.today.addEventListener("click", () => go(null));
  ui.qpu.addEventListener("change", () => go(state.week));

  // --- the whole ---------------------------------------------------------------------------------------------------

  const update = (next) => {
    const moved = next.week !== state.week || next.qpu !== state.qpu || spot === null;
    state = next;
    clock = wallClock(state);
    since = performance.now();
    if (moved) {
      const day = Math.max(0, Math.min(6, clock.dayOf(now())));
      const inside = clock.dayOf(now()) === day;
      const from = inside ? Math.ceil((clock.wallOf(now()) - state.wall) / HOUR_S) * HOUR_S : 9 * HOUR_S;
      const start = clock.instantOf(state.wall + Math.min(from, 7 * DAY_S - HOUR_S));
      spot = { start, end: start + Math.max(state.step_s, Math.min(HOUR_S, DAY_S)) };
      if (!pointer.busy()) closePop(false);
    }
    drawHead();
    drawBookings();
    drawNow();
    drawDraft();
    showSpot();
  };

  el.replaceChildren(ui.root);
  update(first);
  // It can only be scrolled once it has a size.
  const sized = new ResizeObserver(() => {
    if (!ui.scroll.clientHeight) return;
    const at = (clock.wallOf(now()) - state.wall) % DAY_S;
    ui.scroll.scrollTop = topOf(Math.max(0, Math.min(TOP_HOUR * HOUR_S, at - HOUR_S)));
    sized.disconnect();
  });
  sized.observe(ui.scroll);
  const ticking = setInterval(drawNow, 30_000);
  return { update, stop: () => { clearInterval(ticking); clearTimeout(toastTimer); sized.disconnect(); } };
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
    const view = mountCalendar(el, model.get("state"), ask);
    const paint = () => view.update(model.get("state"));
    model.on("msg:custom", hear);
    model.on("change:state", paint);
    return () => { model.off("msg:custom", hear); model.off("change:state", paint); view.stop(); };
  },
};
