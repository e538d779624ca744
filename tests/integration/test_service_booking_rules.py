"""Series of bookings, and the rules that a lab sets for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from qpi_jupyter.core.access import Principal
from qpi_jupyter.core.errors import BookingConflict, Conflict, NotFound, Rejected
from qpi_jupyter.core.quotas import Quotas
from qpi_jupyter.wire.bookings import (
    BookingChange,
    BookingIn,
    BookingRule,
    BookingRuleIn,
    QuietHours,
)
from qpi_jupyter.wire.people import GroupIn
from qpi_server.service import Lab
from tests.faults.lab import ADMIN, ANN, BOB, FrozenClock
from tests.support.bookings import BOSS, HOUR, at, fails, made, play, refusal, span

_USUAL = Quotas().booking_rule
USUAL = BookingRule(longest_s=_USUAL.longest_s, horizon_s=_USUAL.horizon_s, max_ahead=_USUAL.max_ahead)


def test_a_series_is_booked_all_or_nothing_and_names_the_first_clash(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        await made(lab, BOB, span(24 * 3 + 9.5, 24 * 3 + 10.5))  # on the fourth day
        daily = span(9, 10, rrule="FREQ=DAILY;COUNT=5")
        error = await refusal(lab.bookings.create(ANN, daily))
        assert isinstance(error, BookingConflict)
        assert error.data["occurrence"] == at(24 * 3 + 9).isoformat()
        assert error.next_free == {"start_at": at(24 * 3 + 10.5).isoformat(), "end_at": at(24 * 3 + 11.5).isoformat()}
        assert (await lab.bookings.list(ANN, mine=True)).bookings == []
        made_ = await lab.bookings.create(ANN, span(11, 12, rrule="FREQ=DAILY;COUNT=5"))
        assert len({b.series_id for b in made_.bookings}) == 1
        assert made_.cut_at is None

    play(tmp_path, dialogue)


def test_a_series_without_an_end_is_cut_at_the_horizon_and_says_so(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        rule = BookingRule(horizon_s=10 * 24 * HOUR)
        await lab.booking_rules.set(BOSS, BookingRuleIn(rule=rule))
        done = await lab.bookings.create(ANN, span(9, 10, rrule="FREQ=DAILY"))
        assert (len(done.bookings), done.cut_at) == (10, at(240))
        far = lab.bookings.create(ANN, span(11, 12, rrule="FREQ=DAILY;COUNT=12"))
        error = await fails(far, Rejected, "too_far", "start_at")
        assert error.data["occurrence"] == at(24 * 10 + 11).isoformat()
        free = await lab.bookings.create(BOSS, span(13, 14, rrule="FREQ=DAILY"))
        assert len(free.bookings) == 367

    play(tmp_path, dialogue)


@pytest.mark.parametrize(("series", "left"), [("this", 4), ("following", 2), ("all", 0)])
def test_a_series_loses_one_the_rest_or_all(tmp_path: Path, series: Any, left: int) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> int:
        done = await lab.bookings.create(ANN, span(9, 10, rrule="FREQ=DAILY;COUNT=5"))
        await lab.bookings.delete(ANN, done.bookings[2].id, series=series)
        return len((await lab.bookings.list(ANN)).bookings)

    assert play(tmp_path, dialogue) == left


def test_of_a_series_that_runs_its_owner_deletes_what_has_not_begun(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        done = await lab.bookings.create(ANN, span(9, 10, rrule="FREQ=DAILY;COUNT=3"))
        clock.advance(9.5 * HOUR)
        first = done.bookings[0].id
        await lab.bookings.delete(ANN, first, series="all")
        assert [b.id for b in (await lab.bookings.list(ANN)).bookings] == [first]
        await fails(lab.bookings.delete(ANN, first, series="all"), Conflict, "already_started")

    play(tmp_path, dialogue)


def test_nine_o_clock_stays_nine_o_clock_over_daylight_saving(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> list[list[str]]:
        hours = []
        for month, day in ((3, 30), (10, 26)):  # the clocks of Berlin change on 31 March and 27 October 2030
            start = datetime(2030, month, day, 9 - (1 if month == 3 else 2), tzinfo=UTC)
            request = BookingIn(
                qpu="q1", start_at=start, end_at=start + timedelta(hours=8), rrule="FREQ=DAILY;COUNT=2",
                timezone="Europe/Berlin",
            )  # fmt: skip
            done = await lab.bookings.create(ANN, request)
            hours.append([f"{b.start_at:%d %H}-{b.end_at:%H}" for b in done.bookings])
        return hours

    found = play(tmp_path, dialogue, quotas=Quotas(max_booking_ahead_s=None))
    assert found == [["30 08-16", "31 07-15"], ["26 07-15", "27 08-16"]]


# --- rules


@pytest.mark.parametrize(
    ("rule", "request_", "code", "field"),
    [
        (BookingRule(granularity_s=900), span(1.1, 2), "off_grid", "start_at"),
        (BookingRule(granularity_s=900), span(1, 2.1), "off_grid", "end_at"),
        (BookingRule(shortest_s=2 * HOUR), span(1, 2), "too_short", "end_at"),
        (BookingRule(longest_s=1800), span(1, 2), "too_long", "end_at"),
        (BookingRule(horizon_s=1800), span(1, 2), "too_far", "start_at"),
        (BookingRule(max_ahead=0), span(1, 2), "too_many_ahead", "start_at"),
        (BookingRule(modes=["exclusive"]), span(1, 2), "mode_not_allowed", "mode"),
        (BookingRule(quiet=[QuietHours(start="22:00", end="01:30")]), span(1, 2), "quiet_hours", "start_at"),
    ],
)
def test_a_rule_binds_people_and_not_managers(
    tmp_path: Path, rule: BookingRule, request_: BookingIn, code: str, field: str
) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        await lab.booking_rules.set(BOSS, BookingRuleIn(rule=rule))
        await fails(lab.bookings.create(ANN, request_), Rejected, code, field)
        await made(lab, BOSS, request_)

    play(tmp_path, dialogue)


def test_max_ahead_counts_what_is_not_over_on_one_qpu(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        await lab.booking_rules.set(BOSS, BookingRuleIn(rule=BookingRule(max_ahead=2), qpu="q1"))
        first = await made(lab, ANN, span(1, 2))
        await made(lab, ANN, span(2, 3))
        await fails(lab.bookings.create(ANN, span(3, 4)), Rejected, "too_many_ahead", "start_at")
        await made(lab, ANN, span(3, 4, qpu="q2"))
        await made(lab, BOB, span(3, 4))
        await lab.bookings.change(ANN, first.id, BookingChange(start_at=at(0.5)))  # a move is not one more
        clock.advance(2 * HOUR)  # the first is over
        await made(lab, ANN, span(5, 6))
        series = span(7, 8, rrule="FREQ=DAILY;COUNT=2")
        await fails(lab.bookings.create(ANN, series), Rejected, "too_many_ahead", "start_at")

    play(tmp_path, dialogue)


def test_the_most_specific_rule_counts_alone(tmp_path: Path) -> None:
    chemists = Principal(name="ann", roles=ANN.roles, groups=frozenset({"chem"}))

    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        async def rule(hours: float, **scope: str) -> None:
            await lab.booking_rules.set(BOSS, BookingRuleIn(rule=BookingRule(longest_s=hours * HOUR), **scope))

        missing = BookingRuleIn(rule=BookingRule(), group="chem")
        await fails(lab.booking_rules.set(BOSS, missing), NotFound, "unknown_group", "group")
        await lab.groups.create(ADMIN, GroupIn(name="chem"))
        await rule(1)
        await rule(2, qpu="q1")
        await rule(3, group="chem")
        await rule(4, qpu="q1", group="chem")
        limits = (await lab.booking_rules.list(chemists)).mine
        assert {qpu: limit.longest_s for qpu, limit in limits.items()} == {"q1": 4 * HOUR, "q2": 3 * HOUR}
        limits = (await lab.booking_rules.list(BOB)).mine
        assert {qpu: limit.longest_s for qpu, limit in limits.items()} == {"q1": 2 * HOUR, "q2": HOUR}
        await rule(5, qpu="q1")  # in place of the old one
        found = (await lab.booking_rules.list(BOB)).rules
        assert [r.rule.longest_s for r in found if r.qpu == "q1" and r.group is None] == [5 * HOUR]
        assert len(found) == 4
        await lab.booking_rules.delete(BOSS, next(r.id for r in found if r.qpu is None and r.group is None))
        assert (await lab.booking_rules.list(BOB)).mine["q2"] == USUAL

    play(tmp_path, dialogue)


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (BookingRule(granularity_s=0.5), "bad_rule"),
        (BookingRule(shortest_s=10, longest_s=5), "bad_rule"),
        (BookingRule(quiet=[QuietHours(start="22:00", end="06:00", timezone="nowhere")]), "bad_timezone"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(tmp_path: Path, rule: BookingRule, code: str) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        assert (await refusal(lab.booking_rules.set(BOSS, BookingRuleIn(rule=rule)))).code == code

    play(tmp_path, dialogue)


# --- looking


@pytest.mark.parametrize(
    ("series", "hours"), [("this", [9, 9, 11, 9]), ("following", [9, 9, 11, 11]), ("all", [11, 11, 11, 11])]
)
def test_a_series_moves_one_the_rest_or_all(tmp_path: Path, series: Any, hours: list[float]) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> list[float]:
        done = await lab.bookings.create(ANN, span(9, 10, rrule="FREQ=DAILY;COUNT=4"))
        third = done.bookings[2]
        change = BookingChange(start_at=at(48 + 11), end_at=at(48 + 13), title="late", version=third.version)
        moved = await lab.bookings.change(ANN, third.id, change, series=series)
        assert (moved.start_at, moved.end_at, moved.title) == (at(48 + 11), at(48 + 13), "late")
        found = sorted((await lab.bookings.list(ANN)).bookings, key=lambda b: b.start_at)
        assert all((b.end_at - b.start_at).total_seconds() == (2 if b.title else 1) * HOUR for b in found)
        return [(b.start_at - at(24 * n)).total_seconds() / HOUR for n, b in enumerate(found)]

    assert play(tmp_path, dialogue) == hours


def test_a_series_that_moves_keeps_to_its_wall_clock(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> list[str]:
        tz = ZoneInfo("Europe/Berlin")
        start = datetime(2030, 3, 29, 9, tzinfo=tz)  # the clocks are put forward on the 31st
        weekly = BookingIn(
            qpu="q1", start_at=start, end_at=start + timedelta(hours=1), rrule="FREQ=DAILY;COUNT=4",
            timezone="Europe/Berlin",
        )  # fmt: skip
        first = (await lab.bookings.create(ANN, weekly)).bookings[0]
        later = datetime(2030, 3, 29, 14, 30, tzinfo=tz)
        change = BookingChange(start_at=later, end_at=later + timedelta(hours=2))
        await lab.bookings.change(ANN, first.id, change, series="all")
        found = (await lab.bookings.list(ANN)).bookings
        return [f"{b.start_at.astimezone(tz):%H:%M}-{b.end_at.astimezone(tz):%H:%M}" for b in found]

    assert play(tmp_path, dialogue) == ["14:30-16:30"] * 4


def test_a_series_moves_whole_or_not_at_all(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        done = await lab.bookings.create(ANN, span(9, 10, rrule="FREQ=DAILY;COUNT=3"))
        await made(lab, BOB, span(48 + 12, 48 + 13))
        first = done.bookings[0]
        clash = lab.bookings.change(ANN, first.id, BookingChange(start_at=at(12), end_at=at(13)), series="all")
        error = await refusal(clash)
        assert isinstance(error, BookingConflict)
        assert error.data["occurrence"] == at(48 + 12).isoformat()
        wide = lab.bookings.change(ANN, first.id, BookingChange(end_at=at(9 + 25)), series="all")
        await fails(wide, Rejected, "series_overlaps", "end_at")
        own = (await lab.bookings.list(ANN, mine=True)).bookings
        assert [b.version for b in own] == [1, 1, 1]
        # What has begun stays, unless it is the one that is changed.
        clock.advance(9.5 * HOUR)
        await lab.bookings.change(ANN, own[1].id, BookingChange(title="renamed"), series="all")
        assert [b.title for b in (await lab.bookings.list(ANN, mine=True)).bookings] == ["", "renamed", "renamed"]
        await lab.bookings.change(ANN, first.id, BookingChange(end_at=at(9.75)), series="all")
        ends = [b.end_at for b in (await lab.bookings.list(ANN, mine=True)).bookings]
        assert ends == [at(9.75), at(24 + 9.75), at(48 + 9.75)]

    play(tmp_path, dialogue)
