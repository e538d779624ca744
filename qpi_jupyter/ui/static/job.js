// The view of one job, for the live widget and for the saved output alike. Everything is drawn from two plain values,
// `state` and `tabs` (qpi_jupyter/ui/state.py); text is set as text, never as HTML.

let ids = 0;

const whole = (value) => value.toLocaleString("en-US");
const percent = (share) => `${(100 * share).toFixed(1)} %`;

function seconds(value) {
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 60) return `${value.toFixed(1)} s`;
  const minutes = Math.floor(value / 60);
  return minutes < 60 ? `${minutes} min ${Math.floor(value % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// --- head ----------------------------------------------------------------------------------------------------------

function facts(state) {
  const parts = [state.qpu, `${whole(state.shots)} shots`];
  if (state.circuits > 1) parts.push(`${whole(state.circuits)} circuits`);
  return parts.filter(Boolean).join(" · ");
}

function progressBar(state) {
  const known = state.status === "running" && state.progress > 0;
  const done = Math.round(100 * state.progress);
  return make(
    "div",
    {
      class: "qpi-bar", role: "progressbar", "aria-label": "Progress", "data-unknown": !known,
      "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": known ? done : null,
    },
    make("div", known ? { style: `width:${done}%` } : {}),
  );
}

function errorBox(error) {
  const where = error.line ? `Line ${error.line}${error.column ? `, column ${error.column}` : ""}: ` : "";
  const box = make("div", { class: "qpi-error", role: "alert" }, make("p", {}, where + error.message));
  if (error.source !== null) {
    const margin = `${error.line} | `;
    const pre = make("pre", {}, margin + error.source);
    if (error.column) {
      const before = error.source.slice(0, error.column - 1).replace(/[^\t]/g, " ");
      pre.append(`\n${" ".repeat(margin.length - 2)}| ${before}`, make("mark", {}, "^"));
    }
    box.append(pre);
  }
  return box;
}

// --- results -------------------------------------------------------------------------------------------------------

function histogram(tab, width, tip) {
  const top = 18;
  const left = 44;
  const plot = 170;
  const highest = Math.max(1, ...tab.bars.map((bar) => bar.count));
  const longest = Math.max(1, ...tab.bars.map((bar) => (bar.rest ? "others" : bar.label).length));
  const step = Math.min(110, (width - left - 4) / tab.bars.length);
  const start = left + (width - left - step * tab.bars.length) / 2;
  const upright = longest * 7 + 6 <= step;
  // Turned labels need 11 pixels each: where there is less, some are left to the tip.
  const every = upright ? 1 : Math.ceil(11 / step);
  const foot = upright ? 24 : Math.min(130, 14 + longest * 6.8);
  const floor = top + plot;
  const summary = tab.bars.slice(0, 8).map((bar) => `${bar.label}: ${whole(bar.count)}, ${percent(bar.share)}`).join("; ");
  const svg = draw("svg", {
    viewBox: `0 0 ${width} ${floor + foot}`, role: "group", "aria-label": `Histogram of ${whole(tab.shots)} shots. ${summary}`,
  });
  for (const share of [0, 0.5, 1]) {
    const y = floor - plot * share;
    svg.append(
      draw("line", { class: "qpi-grid", x1: left, x2: width, y1: y, y2: y }),
      draw("text", { x: left - 8, y: y + 4, "text-anchor": "end" }, whole(Math.round(highest * share))),
    );
  }
  tab.bars.forEach((bar, index) => {
    const x = start + index * step;
    const middle = x + step / 2;
    const tall = (plot * bar.count) / highest;
    const words = `${bar.label}: ${whole(bar.count)} shots, ${percent(bar.share)}`;
    const label = draw("text", {
      class: "qpi-key", x: middle, y: floor + 16, "text-anchor": upright ? "middle" : "end",
      transform: upright ? null : `rotate(-90 ${middle} ${floor + 12}) translate(0 -1)`,
    }, bar.rest ? "others" : bar.label);
    const column = draw(
      "g",
      { class: "qpi-column", tabindex: index === 0 ? 0 : -1, role: "img", "aria-label": words },
      draw("rect", { class: "qpi-hit", x, y: top - 4, width: step, height: plot + 4 }),
      draw("rect", {
        class: "qpi-count", "data-rest": bar.rest, x: x + step * 0.14, y: floor - tall, width: step * 0.72,
        height: Math.max(tall, bar.count ? 1 : 0), rx: Math.min(3, step * 0.1),
      }),
      index % every === 0 ? label : null,
    );
    if (tab.bars.length <= 12) {
      column.append(draw("text", { x: middle, y: floor - tall - 5, "text-anchor": "middle" }, whole(bar.count)));
    }
    for (const [on, off] of [["pointerenter", "pointerleave"], ["focus", "blur"]]) {
      column.addEventListener(on, () => tip.show(words, middle / width, (floor - tall - 18) / (floor + foot)));
      column.addEventListener(off, () => tip.hide());
    }
    svg.append(column);
  });
  svg.addEventListener("keydown", (event) => roam(event, [...svg.querySelectorAll(".qpi-column")]));
  return svg;
}

// A number at an axis: to a hundredth of its span's power of ten, so that a middle near 0 leaves room for the axis' name.
function atAxis(value, span, digits) {
  const finest = Math.floor(Math.log10(span || Math.abs(value) || 1)) - 2;
  return Number((Math.round(value / 10 ** finest) * 10 ** finest).toPrecision(digits)).toString();
}

function scatter(tab, width) {
  const size = Math.min(width, 420);
  const left = 56;
  const bottom = 34;
  const xs = [...tab.i, ...tab.centres.map((c) => c[0])];
  const ys = [...tab.q, ...tab.centres.map((c) => c[1])];
  const range = (values) => values.reduce(([lo, hi], v) => [Math.min(lo, v), Math.max(hi, v)], [Infinity, -Infinity]);
  const [x0, x1] = range(xs);
  const [y0, y1] = range(ys);
  // One scale for both axes: angles in the IQ plane mean something.
  const span = Math.max(x1 - x0, y1 - y0, 1e-12) * 1.1;
  const place = size - left - 8;
  const px = (i) => left + place * (0.5 + (i - (x0 + x1) / 2) / span);
  const py = (q) => 8 + place * (0.5 - (q - (y0 + y1) / 2) / span);
  const low = 8 + place;
  const number = (value) => atAxis(value, span, 2);
  const svg = draw("svg", {
    viewBox: `0 0 ${size} ${low + bottom}`, style: `max-width:${size}px`, role: "img",
    "aria-label": `IQ plane of ${tab.label}: ${whole(tab.total)} ${tab.averaged ? "averaged point" : "shots"}, `
      + `${whole(tab.bits.filter((bit) => bit === 1).length)} of the ${whole(tab.bits.length)} points shown are 1`,
  });
  const clip = `qpi-clip-${++ids}-${Math.random().toString(36).slice(2)}`;
  svg.append(draw("clipPath", { id: clip }, draw("rect", { x: left, y: 8, width: place, height: place })));
  for (const share of [0, 0.5, 1]) {
    const x = left + place * share;
    const y = low - place * share;
    const i = (x0 + x1) / 2 + span * (share - 0.5);
    const q = (y0 + y1) / 2 + span * (share - 0.5);
    svg.append(
      draw("line", { class: "qpi-grid", x1: left, x2: left + place, y1: y, y2: y }),
      draw("line", { class: "qpi-grid", x1: x, x2: x, y1: 8, y2: low }),
      draw("text", { x, y: low + 15, "text-anchor": share === 0 ? "start" : share === 1 ? "end" : "middle" }, number(i)),
      draw("text", { x: left - 7, y: y + 4, "text-anchor": "end" }, number(q)),
    );
  }
  svg.append(
    draw("text", { x: left + place / 2, y: low + 30, "text-anchor": "middle" }, `I (${tab.units})`),
    draw("text", { transform: `translate(12 ${8 + place / 2}) rotate(-90)`, "text-anchor": "middle" }, `Q (${tab.units})`),
  );
  for (const bit of [0, 1]) {
    // A line of no length with round ends is a dot: one element holds a whole cloud.
    const dots = tab.i.map((i, n) => (tab.bits[n] === bit ? `M${px(i).toFixed(1)} ${py(tab.q[n]).toFixed(1)}h0` : ""));
    svg.append(draw("path", { class: "qpi-points", "data-bit": bit, d: dots.join("") }));
  }
  const [[ia, qa], [ib, qb]] = tab.line;
  svg.append(
    draw("g", { "clip-path": `url(#${clip})` },
      draw("line", { class: "qpi-threshold", x1: px(ia), y1: py(qa), x2: px(ib), y2: py(qb) })),
    ...tab.centres.map(([i, q], bit) => draw("circle", { class: "qpi-centre", "data-bit": bit, cx: px(i), cy: py(q), r: 5 })),
  );
  return svg;
}

function iqNote(tab) {
  const swatch = (colour) => make("span", { class: "qpi-swatch", style: `background:var(${colour})`, "aria-hidden": "true" });
  const shown = tab.averaged ? "average of all shots"
    : tab.i.length < tab.total ? `${whole(tab.i.length)} of ${whole(tab.total)} shots` : `${whole(tab.total)} shots`;
  const fidelity = tab.fidelity === null ? "" : ` · read out right ${percent(tab.fidelity)}`;
  return make("p", { class: "qpi-note" }, swatch("--qpi-zero"), "0", swatch("--qpi-one"), "1", ` · dashed: threshold · ${shown}${fidelity}`);
}

function lines(tab, width) {
  const left = 64;
  const bottom = 34;
  const right = width - 8;
  const floor = 190;
  const known = tab.lines.flatMap((line) => line.y).filter((value) => value !== null);
  const range = (values) => values.reduce(([lo, hi], v) => [Math.min(lo, v), Math.max(hi, v)], [Infinity, -Infinity]);
  const [x0, x1] = range(tab.x);
  const [y0, y1] = range(known);
  const margin = 0.05 * (y1 - y0) || Math.abs(y0) || 1;
  const px = (x) => left + ((right - left) * (x - x0)) / (x1 - x0 || 1);
  const py = (y) => 8 + ((floor - 8) * (y1 + margin - y)) / (y1 - y0 + 2 * margin);
  const svg = draw("svg", {
    viewBox: `0 0 ${width} ${floor + bottom}`, role: "img",
    "aria-label": `${tab.label}: ${tab.lines.map((line) => line.label).join(", ")} over ${tab.x_label}`,
  });
  for (const share of [0, 0.5, 1]) {
    const x = left + (right - left) * share;
    const y = floor - (floor - 8) * share;
    svg.append(
      draw("line", { class: "qpi-grid", x1: left, x2: right, y1: y, y2: y }),
      draw("line", { class: "qpi-grid", x1: x, x2: x, y1: 8, y2: floor }),
      draw("text", { x, y: floor + 15, "text-anchor": share === 0 ? "start" : share === 1 ? "end" : "middle" }, atAxis(x0 + (x1 - x0) * share, x1 - x0, 3)),
      draw("text", { x: left - 7, y: y + 4, "text-anchor": "end" }, atAxis(y0 - margin + (y1 - y0 + 2 * margin) * share, y1 - y0 + 2 * margin, 3)),
    );
  }
  svg.append(
    draw("text", { x: (left + right) / 2, y: floor + 30, "text-anchor": "middle" }, tab.x_label),
    draw("text", { transform: `translate(12 ${floor / 2}) rotate(-90)`, "text-anchor": "middle" }, tab.y_label),
  );
  tab.lines.forEach((line, n) => {
    let pen = "M";
    const steps = tab.x.map((x, k) => {
      if (line.y[k] === null) { pen = "M"; return ""; }
      // A line of no length is a dot: what stands alone between two gaps is seen, too.
      const step = `${pen}${px(x).toFixed(1)} ${py(line.y[k]).toFixed(1)}${pen === "M" ? "h0" : ""}`;
      pen = "L";
      return step;
    });
    svg.append(draw("path", { class: "qpi-line", "data-line": n % 4, d: steps.join("") }));
  });
  const keys = tab.lines.map((line, n) => make("span", { class: "qpi-line-key", "data-line": n % 4 }, line.label));
  return [svg, make("p", { class: "qpi-note" }, ...keys, tab.note)];
}

function table(columns, rows, note) {
  const head = make("thead", {}, make("tr", {}, ...columns.map((name) => make("th", { scope: "col" }, name))));
  const cell = (value, n) => (n === 0 ? make("th", { scope: "row" }, value) : make("td", {}, value));
  const body = make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map(cell))));
  return [make("table", { class: "qpi-table" }, head, body), note && make("p", { class: "qpi-note" }, note)].filter(Boolean);
}

function errorBars(tab) {
  const ends = tab.points.filter((point) => point.value !== null)
    .flatMap(({ value, error }) => [value - (error ?? 0), value + (error ?? 0), 0]);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const at = (value) => 6 + (148 * (value - low)) / (high - low || 1);
  const bar = ({ value, error }) => value === null ? "" : draw(
    "svg", { viewBox: "0 0 160 16", "aria-hidden": "true" },
    draw("line", { class: "qpi-grid", x1: at(0), x2: at(0), y1: 0, y2: 16 }),
    draw("line", { class: "qpi-error-bar", x1: at(value - (error ?? 0)), x2: at(value + (error ?? 0)), y1: 8, y2: 8 }),
    draw("circle", { class: "qpi-value", cx: at(value), cy: 8, r: 3.5 }),
  );
  const number = (value) => (value === null ? "—" : String(value));
  const rows = tab.points.map((point) => [point.label, number(point.value), number(point.error), bar(point)]);
  return table([tab.x_label, tab.y_label, "Standard error", ""], rows, tab.note);
}

/** The forms of drawings (qpi_jupyter/data/drawings.py), by name. */
const forms = {
  counts: counts,
  iq: (tab, width) => [scatter(tab, width), iqNote(tab)],
  lines: lines,
  error_bars: errorBars,
  table: (tab) => table(tab.columns, tab.rows, tab.note),
  note: (tab) => [make("p", { class: "qpi-note" }, tab.text)],
};

function panelOf(tab, width) {
  const form = forms[tab.draw];
  return form ? form(tab, width) : [make("p", { class: "qpi-note" }, `Drawings of the form "${tab.draw}" can't be shown by this version of the lab.`)];
}

function counts(tab, width) {
  const box = make("div", { class: "qpi-tip", hidden: true });
  const tip = {
    show: (text, x, y) => {
      box.textContent = text;
      box.hidden = false;
      const svg = box.previousSibling;
      const half = box.offsetWidth / 2;
      box.style.left = `${Math.max(half, Math.min(svg.clientWidth - half, x * svg.clientWidth))}px`;
      box.style.top = `${y * svg.clientHeight}px`;
    },
    hide: () => { box.hidden = true; },
  };
  const others = tab.outcomes > tab.bars.length ? `${whole(tab.outcomes)} outcomes, the most frequent are shown` : null;
  return [histogram(tab, width, tip), box, others && make("p", { class: "qpi-note" }, others)].filter(Boolean);
}

/** Arrow keys, Home and End move through the items; one of them is in the tab order. */
function roam(event, items) {
  const at = items.indexOf(event.target);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  const next = items[(to + items.length) % items.length];
  for (const item of items) item.setAttribute("tabindex", item === next ? 0 : -1);
  next.focus();
}

/** Which tab of which job was chosen last: a view that is drawn again, from its widget or its output, goes on there. */
const choices = (globalThis.qpiChoices ??= new Map());

function results(job, tabs, total) {
  const root = make("div");
  const id = `qpi-${++ids}-${Math.random().toString(36).slice(2)}`;
  const panel = make("div", { class: "qpi-panel", id: `${id}-panel` });
  let chosen = Math.min(choices.get(job) ?? 0, tabs.length - 1);
  let width = 0;
  const paint = () => { if (width > 0) panel.replaceChildren(...panelOf(tabs[chosen], width)); };
  if (tabs.length > 1) {
    const buttons = tabs.map((tab, n) => make("button", {
      type: "button", role: "tab", id: `${id}-${n}`, "aria-controls": `${id}-panel`,
    }, tab.label));
    const choose = (n) => {
      chosen = n;
      choices.set(job, n);
      buttons.forEach((button, k) => fill(button, { "aria-selected": k === n ? "true" : "false", tabindex: k === n ? 0 : -1 }, []));
      panel.setAttribute("aria-labelledby", `${id}-${n}`);
      paint();
    };
    buttons.forEach((button, n) => button.addEventListener("focus", () => choose(n)));
    buttons.forEach((button, n) => button.addEventListener("click", () => choose(n)));
    const list = make("div", { role: "tablist", "aria-label": "Circuits" }, ...buttons);
    list.addEventListener("keydown", (event) => roam(event, buttons));
    panel.setAttribute("role", "tabpanel");
    root.append(list);
    choose(chosen);
  }
  root.append(panel);
  if (total > tabs.length) {
    root.append(make("p", { class: "qpi-note" }, `The first ${tabs.length} of ${whole(total)} are shown; job.counts() has them all.`));
  }
  // Drawn at the size it has, so that text keeps its size on a phone and on a wall.
  const watch = new ResizeObserver(([entry]) => {
    const now = Math.max(160, Math.floor(entry.contentRect.width));
    if (entry.contentRect.width > 0 && now !== width) { width = now; paint(); }
  });
  watch.observe(panel);
  return { root, stop: () => watch.disconnect() };
}

// --- the whole -----------------------------------------------------------------------------------------------------

/** Put a job's view into `el`; `cancel` is there while a kernel can be asked. */
function mount(el, { state, tabs }, cancel = null) {
  const root = make("section", { class: "qpi-job" });
  const said = make("div", { class: "qpi-quiet", role: "status", "aria-live": "polite" });
  const word = make("span", { class: "qpi-word" });
  const title = make("span", { class: "qpi-title" });
  const fact = make("span", { class: "qpi-facts" });
  const time = make("span", { class: "qpi-time" });
  const button = make("button", { type: "button", class: "qpi-cancel" }, "Cancel");
  // Shown where the lab's panel is in the page: it hears the event
  const open = make("button", { type: "button", class: "qpi-open" }, "Open job");
  const body = make("div");
  let shown = null;
  let since = 0;
  let current = state;

  const tick = () => {
    const now = current.elapsed_s + (current.final ? 0 : (performance.now() - since) / 1000);
    time.textContent = current.final && current.busy_s !== null ? `${seconds(now)} · QPU ${seconds(current.busy_s)}` : seconds(now);
  };
  const update = (next, nextTabs) => {
    current = next;
    since = performance.now();
    root.dataset.status = next.status;
    root.setAttribute("aria-label", `Job ${next.name || next.id}`);
    word.textContent = next.word;
    title.textContent = next.name;
    title.hidden = !next.name;
    fact.textContent = facts(next);
    fact.title = `Job ${next.id}`;
    button.hidden = next.final || cancel === null;
    button.disabled = next.phase === "cancelling";
    tick();
    const sentence = [next.word, next.reason, next.lost && "connection lost"].filter(Boolean).join(", ");
    if (said.textContent !== sentence) said.textContent = sentence;
    shown?.stop();
    shown = nextTabs.length ? results(next.id, nextTabs, next.tabs_total) : null;
    body.replaceChildren(...[
      next.lost && make("p", { class: "qpi-lost", title: next.lost }, "No connection to the lab: trying again. The job itself goes on."),
      next.reason && make("p", { class: "qpi-reason" }, next.reason),
      (next.status === "running" || next.phase === "assigned") && progressBar(next),
      next.error && errorBox(next.error),
      shown?.root,
    ].filter(Boolean));
  };

  button.addEventListener("click", () => { button.disabled = true; cancel(); });
  open.addEventListener("click", () => {
    open.dispatchEvent(new CustomEvent("qpi:open-job", { bubbles: true, composed: true, detail: { id: current.id } }));
  });
  root.append(make("header", {}, word, title, fact, time, open, button), body, said);
  el.replaceChildren(root);
  update(state, tabs);
  const clock = setInterval(() => { if (!current.final) tick(); }, 100);
  return { update, stop: () => { clearInterval(clock); shown?.stop(); } };
}

export default {
  render({ model, el }) {
    const view = mount(el, { state: model.get("state"), tabs: model.get("tabs") }, () => model.send({ do: "cancel" }));
    const paint = () => view.update(model.get("state"), model.get("tabs"));
    model.on("change:state", paint);
    return () => { model.off("change:state", paint); view.stop(); };
  },
};
