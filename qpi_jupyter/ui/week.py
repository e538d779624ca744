"""What the calendar draws, as plain JSON; and the same week as text and HTML, for those who have no widgets."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from html import escape
from typing import Any

from qpi_jupyter.client import times
from qpi_jupyter.core import Permission
from qpi_jupyter.wire.bookings import BookingModel, BookingRule
from qpi_jupyter.wire.people import Me
from qpi_jupyter.wire.rest import QpuModel

STEP_S = 1_800
"""The grid: half-hours, finer where the lab's rule asks for it."""
_FINEST_S = 300
_DAY = timedelta(days=1)


def monday_of(at: datetime, zone: tzinfo) -> date:
    """The first day of the week that ``at`` falls into there."""
    day = at.astimezone(zone).date()
    return day - timedelta(days=day.weekday())


def bounds(monday: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """The week's first instant and the one after its last; it is not 168 hours long where the clocks change."""
    start, end = (datetime.combine(monday + _DAY * days, time(), tzinfo=zone) for days in (0, 7))
    return start.astimezone(UTC), end.astimezone(UTC)


def offsets(monday: date, zone: tzinfo) -> list[list[float]]:
    """``[from, offset]`` in seconds, for the week and a day around it: how the browser tells time in any zone."""
    at, end = bounds(monday, zone)
    at, end = at - _DAY, end + _DAY
    found: list[list[float]] = []
    while at < end:
        offset = at.astimezone(zone).utcoffset() or timedelta()
        if not found or found[-1][1] != offset.total_seconds():
            found.append([at.timestamp(), offset.total_seconds()])
        # No zone changes its clocks twice within a quarter of an hour, nor between two quarters.
        at += timedelta(minutes=15)
    return found


def week_state(
    *,
    qpu: str,
    qpus: Sequence[QpuModel],
    monday: date,
    zone: tzinfo,
    now: datetime,
    bookings: Sequence[BookingModel],
    rule: BookingRule,
    me: Me,
) -> dict[str, Any]:
    """The week of a QPU, as ``me`` sees it."""
    manager = Permission.BOOKINGS_WRITE_ANY in me.permissions
    return {
        "qpu": qpu,
        "qpus": [item.name for item in qpus],
        "status": next((item.status for item in qpus if item.name == qpu), ""),
        "week": monday.isoformat(),
        "title": week_title(monday),
        "zone": times.zone_label(zone, now),
        # The wall clock's midnight of the Monday, as if it were UTC: all sums in the browser start here.
        "wall": calendar.timegm(monday.timetuple()),
        "offsets": offsets(monday, zone),
        "now": now.timestamp(),
        "step_s": _step(rule),
        "grid_s": rule.granularity_s or 0,
        "shortest_s": rule.shortest_s or 0,
        "modes": _modes(rule, manager=manager),
        "bookings": [_booking(model, me, manager=manager) for model in bookings if model.status == "booked"],
        "lost": "",
    }


def _step(rule: BookingRule) -> float:
    grain = rule.granularity_s or STEP_S
    return max(_FINEST_S, min(grain, STEP_S)) if STEP_S % grain == 0 or grain % STEP_S == 0 else grain


def _modes(rule: BookingRule, *, manager: bool) -> list[str]:
    if manager:
        return ["priority", "exclusive", "maintenance"]
    return [mode for mode in ("priority", "exclusive") if rule.modes is None or mode in rule.modes] or ["priority"]


def _booking(model: BookingModel, me: Me, *, manager: bool) -> dict[str, Any]:
    own = model.booked_by == me.user.name
    return {
        "id": model.id,
        "version": model.version,
        "start": model.start_at.timestamp(),
        "end": model.end_at.timestamp(),
        "mode": model.mode,
        "title": model.title or "",
        "who": model.booked_by or "somebody",
        "invited": model.invited,
        "mine": model.mine,
        "own": own,
        "editable": own or manager,
        "series": model.series_id is not None,
    }


def week_title(monday: date) -> str:
    """``16 - 22 November 2026``, with as many months and years as there are."""
    sunday = monday + 6 * _DAY
    first = f"{monday.day}"
    if monday.month != sunday.month:
        first += f" {monday:%B}"
    if monday.year != sunday.year:
        first += f" {monday.year}"
    return f"{first} – {sunday.day} {sunday:%B} {sunday.year}"


def rows(state: dict[str, Any], zone: tzinfo) -> list[tuple[str, str, str]]:
    """The week's bookings: when, who, what."""
    now = datetime.fromtimestamp(state["now"], UTC)
    found = []
    for item in state["bookings"]:
        start, end = (datetime.fromtimestamp(item[key], UTC) for key in ("start", "end"))
        what = " · ".join(filter(None, (item["mode"] if item["mode"] != "priority" else "", item["title"])))
        found.append((times.span(start, end, zone, now), item["who"], what))
    return found


def as_text(state: dict[str, Any], zone: tzinfo) -> str:
    """The week, one booking a line."""
    lines = ["  ".join(filter(None, row)) for row in rows(state, zone)] or ["no bookings"]
    return "\n  ".join([f"{state['qpu']}, {state['title']}, {state['zone']}:", *lines])


def as_html(state: dict[str, Any], zone: tzinfo) -> str:
    """The week as a table."""
    body = "".join(
        "<tr>" + "".join(f'<td style="text-align:left">{escape(cell)}</td>' for cell in row) + "</tr>"
        for row in rows(state, zone)
    )
    head = "".join(f'<th scope="col" style="text-align:left">{name}</th>' for name in ("when", "who", "what"))
    body = body or '<tr><td colspan="3"><em>no bookings</em></td></tr>'
    caption = f"{escape(state['qpu'])}, {escape(state['title'])}, {escape(state['zone'])}"
    return (
        f'<table><caption style="text-align:left">{caption}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )
