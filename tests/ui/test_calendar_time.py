"""The calendar's sums with time zones, in the browser that does them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page

from qpi_jupyter.ui import week
from qpi_jupyter.ui.assets import module
from qpi_jupyter.wire.bookings import BookingRule
from qpi_jupyter.wire.people import Me
from tests.faults.scripted_rules import ME

pytestmark = pytest.mark.ui
STOCKHOLM = ZoneInfo("Europe/Stockholm")
INSTANTS = """([state, walls]) => {
  const clock = wallClock(state);
  return walls.map(([day, hour]) => clock.instantOf(state.wall + day * DAY_S + hour * HOUR_S));
}"""
WALLS = """([state, instants]) => {
  const clock = wallClock(state);
  return instants.map((at) => `${clock.dayOf(at)} ${hhmm(clock.wallOf(at))}`);
}"""


def state_of(monday: date) -> dict[str, object]:
    return week.week_state(
        qpu="q1", qpus=[], monday=monday, zone=STOCKHOLM, now=datetime(2026, 1, 1, tzinfo=UTC), bookings=[],
        rule=BookingRule(), me=Me(user=ME, permissions=[]),
    )  # fmt: skip


@pytest.mark.parametrize("monday", [date(2026, 3, 23), date(2026, 10, 19), date(2026, 11, 16), date(2026, 12, 28)])
def test_every_quarter_of_a_week_has_its_instant(page: Page, monday: date) -> None:
    page.add_script_tag(content=module("calendar_time"))
    walls = [(day, quarter / 4) for day in range(7) for quarter in range(96)]
    found = page.evaluate(INSTANTS, [state_of(monday), walls])
    for (day, hour), instant in zip(walls, found, strict=True):
        wall = datetime.combine(date.fromordinal(monday.toordinal() + day), datetime.min.time()).replace(
            hour=int(hour), minute=round(hour % 1 * 60), tzinfo=STOCKHOLM
        )
        # Python, too, lets the earlier clock go on through the hour that is left out, and takes the first of two.
        assert datetime.fromtimestamp(instant, UTC) == wall.astimezone(UTC)


def test_instants_have_their_place_on_the_wall(page: Page) -> None:
    page.add_script_tag(content=module("calendar_time"))
    instants = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC).timestamp() for hour in (0, 1, 2)]
    shown = page.evaluate(WALLS, [state_of(date(2026, 10, 19)), instants])
    assert shown == ["6 02:30", "6 02:30", "6 03:30"], "the hour that comes twice"
