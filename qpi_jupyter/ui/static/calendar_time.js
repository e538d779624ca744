// Time in the calendar. An instant is in seconds since 1970 (UTC); "wall" seconds say what the clock on the lab's wall
// shows, counted as if that clock were UTC. Between the two lie the offsets that the kernel sends, so that any time
// zone works, and the days on which clocks change.

const DAY_S = 86400;
const HOUR_S = 3600;

/** What turns instants into the wall clock of this week, and back. */
function wallClock(state) {
  const steps = state.offsets;
  const wallOf = (at) => {
    let offset = steps[0][1];
    for (const [from, shift] of steps) if (at >= from) offset = shift;
    return at + offset;
  };
  const instantOf = (wall) => {
    for (let n = 0; n < steps.length; n++) {
      const at = wall - steps[n][1];
      const next = steps[n + 1];
      // In the hour that the clocks leave out, the clock that was right before it goes on.
      if (!next || at < next[0] || wall - next[1] < next[0]) return at;
    }
    return wall;
  };
  const dayOf = (at) => Math.floor((wallOf(at) - state.wall) / DAY_S);
  return { wallOf, instantOf, dayOf };
}

const pad = (value) => String(value).padStart(2, "0");

/** `09:30` of wall seconds. */
function hhmm(wall) {
  const minutes = Math.floor((((wall % DAY_S) + DAY_S) % DAY_S) / 60);
  return `${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
}

const dateOf = (wall, options) => new Date(wall * 1000).toLocaleDateString("en-GB", { timeZone: "UTC", ...options });
const longDay = (wall) => dateOf(wall, { weekday: "long", day: "numeric", month: "long" });
const shortDay = (wall) => dateOf(wall, { weekday: "short", day: "numeric", month: "short" });

/** `Tue 17 Nov 09:00 – 11:00`, for people. */
function spanText(clock, start, end, day = shortDay) {
  const from = clock.wallOf(start);
  const to = clock.wallOf(end);
  const same = Math.floor(from / DAY_S) === Math.floor((to - 1) / DAY_S);
  const until = same ? (to % DAY_S === 0 ? "24:00" : hhmm(to)) : `${day(to)} ${hhmm(to)}`;
  return `${day(from)} ${hhmm(from)} – ${until}`;
}

/** `1 h 30 min`. */
function lengthText(seconds) {
  const minutes = Math.round(seconds / 60);
  const parts = [[Math.floor(minutes / 60), "h"], [minutes % 60, "min"]].filter(([count]) => count);
  return parts.map(([count, unit]) => `${count} ${unit}`).join(" ") || "0 min";
}

/** The same day, some weeks on: `2026-11-23`. */
function weekLater(week, weeks) {
  const day = new Date(`${week}T00:00:00Z`);
  day.setUTCDate(day.getUTCDate() + 7 * weeks);
  return day.toISOString().slice(0, 10);
}

/** The pieces of an interval on the days of the week: `{day, from, to}` in seconds after the day's midnight. */
function pieces(clock, state, start, end) {
  const found = [];
  const first = clock.wallOf(start) - state.wall;
  const last = clock.wallOf(end) - state.wall;
  for (let day = Math.max(0, Math.floor(first / DAY_S)); day < 7 && day * DAY_S < last; day++) {
    found.push({ day, from: Math.max(0, first - day * DAY_S), to: Math.min(DAY_S, last - day * DAY_S) });
  }
  return found;
}
