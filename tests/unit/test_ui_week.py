"""What the calendar is given to draw."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from qpi_jupyter.ui import week
from qpi_jupyter.wire.bookings import BookingModel, BookingRule
from qpi_jupyter.wire.people import Me, UserModel

STOCKHOLM = ZoneInfo("Europe/Stockholm")
ANA = Me(user=UserModel(name="ana", display_name="", roles=[], groups=[], source="hub"), permissions=[])
NOW = datetime(2026, 11, 21, 14, 30, tzinfo=UTC)
MONDAY = date(2026, 11, 16)


def booking(**fields: Any) -> BookingModel:
    given: dict[str, Any] = {
        "id": "b1", "version": 1, "qpu": "q1", "booked_by": "ana", "start_at": NOW, "end_at": NOW + timedelta(hours=2),
        "mode": "priority", "status": "booked", "title": "<i>T1</i>", "invited": [], "mine": True,
    }  # fmt: skip
    return BookingModel(**given | fields)


def state(*bookings: BookingModel, rule: BookingRule | None = None, me: Me = ANA) -> dict[str, Any]:
    return week.week_state(
        qpu="q1", qpus=[], monday=MONDAY, zone=STOCKHOLM, now=NOW, bookings=bookings, rule=rule or BookingRule(), me=me
    )


def test_a_week_begins_on_monday_by_the_clock_on_the_wall() -> None:
    late = datetime(2026, 11, 15, 23, 30, tzinfo=UTC)  # half past midnight on Monday in Stockholm
    assert week.monday_of(late, STOCKHOLM) == MONDAY
    assert week.monday_of(late, ZoneInfo("UTC")) == date(2026, 11, 9)


def test_a_week_with_a_change_of_the_clocks_has_another_length() -> None:
    for monday, hours in ((date(2026, 3, 23), 167), (date(2026, 10, 19), 169), (MONDAY, 168)):
        start, end = week.bounds(monday, STOCKHOLM)
        assert (end - start) == timedelta(hours=hours)
    assert [step[1] for step in week.offsets(date(2026, 10, 19), STOCKHOLM)] == [7200, 3600]
    assert week.offsets(date(2026, 10, 19), STOCKHOLM)[1][0] == datetime(2026, 10, 25, 1, tzinfo=UTC).timestamp()


def test_titles_name_as_much_as_is_needed() -> None:
    assert week.week_title(MONDAY).endswith("22 November 2026")
    assert week.week_title(MONDAY).startswith("16 ")
    assert week.week_title(date(2026, 11, 30)).startswith("30 November ")
    assert week.week_title(date(2026, 12, 28)).startswith("28 December 2026 ")


def test_who_may_change_what() -> None:
    mine, invited, theirs = booking(), booking(booked_by="bo"), booking(booked_by=None, title=None, mine=False)
    shown = state(mine, invited, theirs)["bookings"]
    assert [item["editable"] for item in shown] == [True, False, False]
    assert [item["mine"] for item in shown] == [True, True, False]
    assert shown[2]["who"] == "somebody"
    assert state(mine, booking(status="released"))["bookings"] == state(mine)["bookings"]
    manager = Me(user=ANA.user, permissions=["bookings:write:any"])
    assert all(item["editable"] for item in state(mine, invited, theirs, me=manager)["bookings"])
    assert state(me=manager)["modes"] == ["priority", "exclusive", "maintenance"]
    assert state(rule=BookingRule(modes=["exclusive"]))["modes"] == ["exclusive"]


def test_the_grid_follows_the_rule() -> None:
    steps = {None: 1800, 3600.0: 1800, 900.0: 900, 1.0: 300, 2700.0: 2700}
    assert {grain: state(rule=BookingRule(granularity_s=grain))["step_s"] for grain in steps} == steps


def test_text_and_html_tell_the_same() -> None:
    shown = state(booking(mode="exclusive"))
    assert "15:30-17:30  ana  exclusive · <i>T1</i>" in week.as_text(shown, STOCKHOLM)
    assert "exclusive · &lt;i&gt;T1&lt;/i&gt;" in week.as_html(shown, STOCKHOLM)
    assert "no bookings" in week.as_text(state(), STOCKHOLM)
    assert "no bookings" in week.as_html(state(), STOCKHOLM)
