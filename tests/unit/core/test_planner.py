from __future__ import annotations

import random
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpi_jupyter.core.bookings import Booking, BookingMode, BookingStatus, active, following
from qpi_jupyter.core.jobs import Job, JobState
from qpi_jupyter.core.planner import (
    AHEAD,
    Activity,
    Policy,
    Rule,
    Session,
    View,
    begins_in,
    booker_active,
    eta,
    explain,
    next_change,
    next_job,
    rank,
    recalled,
)

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
PEOPLE = ["ada", "bob", "eve"]


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def job(seq: int, owner: str = "ada", **more: Any) -> Job:
    return Job(id=f"j{seq}", owner=owner, qpu="q", seq=seq, submitted_at=NOW, **more)


def booking(start_s: float, end_s: float, by: str = "ada", **more: Any) -> Booking:
    return Booking(id="b", qpu="q", booked_by=by, start_at=after(start_s), end_at=after(end_s), **more)


JOBS = st.lists(
    st.tuples(
        st.sampled_from(PEOPLE),
        st.sampled_from([0.0, 5.0, 29.0, 31.0, 300.0]),
        st.integers(-2, 2),
        st.booleans(),
        st.sampled_from([JobState.QUEUED] * 4 + [JobState.RUNNING, JobState.CANCELLED]),
    ),
    max_size=8,
).map(
    lambda rows: tuple(
        job(n, owner, upper_s=upper_s, priority=priority, checked=checked, state=state)
        for n, (owner, upper_s, priority, checked, state) in enumerate(rows)
    )
)
PERSON = st.sampled_from(PEOPLE)
INVITED = st.frozensets(PERSON, max_size=2)
ACTIVE = st.none() | st.builds(
    lambda by, mode, invited, ago: booking(-ago, 600, by, mode=mode, invited=invited),
    PERSON, st.sampled_from(BookingMode), INVITED, st.sampled_from([1.0, 60.0]),
)  # fmt: skip
TIMETABLES = st.lists(
    st.tuples(PERSON, st.sampled_from(BookingMode), INVITED, st.sampled_from([0.0, 4.0, 30.0, 1000.0])), max_size=4
)


def timetable(rows: list[tuple[str, BookingMode, frozenset[str], float]]) -> tuple[Booking, ...]:
    """Bookings of 60 s that have not begun, with these gaps before them; a gap of 0 is back to back."""
    made, end_s = [], 600.0
    for by, mode, invited, gap_s in rows:
        made.append(booking(end_s + gap_s, end_s + gap_s + 60, by, mode=mode, invited=invited))
        end_s += gap_s + 60
    return tuple(made)


def soon(rows: list[tuple[str, BookingMode, frozenset[str], float]]) -> tuple[Booking, ...]:
    """The same, but the first of them follows now."""
    back = timedelta(seconds=599)
    return tuple(replace(b, start_at=b.start_at - back, end_at=b.end_at - back) for b in timetable(rows))


BARE = st.builds(
    View,
    qpu=st.just("q"),
    jobs=JOBS,
    online=st.sampled_from([True] * 7 + [False]),
    enabled=st.sampled_from([True] * 7 + [False]),
    maintenance=st.sampled_from([False] * 7 + [True]),
    hold=st.sampled_from([None] * 7 + ["too warm"]),
    session=st.none()
    | st.builds(Session, holder=PERSON, opened_at=st.just(NOW), expires_at=st.sampled_from([after(3), after(90)])),
    activity=st.builds(Activity, open_jobs=st.integers(0, 1), last_end_at=st.sampled_from([None, after(-1)])),
    shares=st.dictionaries(PERSON, st.floats(0, 100)),
    policy=st.builds(Policy, fair_share=st.booleans()),
)
VIEWS = st.one_of(
    st.builds(
        lambda view, booking, rows: replace(view, booking=booking, ahead=timetable(rows)), BARE, ACTIVE, TIMETABLES
    ),
    st.builds(lambda view, rows: replace(view, ahead=soon(rows)), BARE, TIMETABLES),
)


@given(VIEWS, st.randoms(use_true_random=False))
def test_the_order_in_which_jobs_are_listed_does_not_matter(view: View, dice: random.Random) -> None:
    shuffled = list(view.jobs)
    dice.shuffle(shuffled)
    assert next_job(view, NOW) == next_job(replace(view, jobs=tuple(shuffled)), NOW)


@given(VIEWS)
def test_what_is_taken_and_what_is_explained_agree(view: View) -> None:
    queued = [j for j in view.jobs if j.state is JobState.QUEUED]
    free = sorted((j for j in queued if explain(view, j, NOW).rule is Rule.NEXT), key=rank(view))
    says_next = [j for j in queued if explain(view, j, NOW, ahead=free.index(j) if j in free else 0).rule is Rule.NEXT]
    chosen = next_job(view, NOW)
    assert says_next == ([] if chosen is None else [chosen])


@given(VIEWS)
def test_the_booker_is_never_overtaken(view: View) -> None:
    chosen = next_job(view, NOW)
    if chosen is None or view.booking is None:
        return
    assert view.booking.mode is not BookingMode.MAINTENANCE
    if view.booking.admits(chosen.owner):
        return
    assert view.booking.mode is BookingMode.PRIORITY
    assert not booker_active(view, NOW)
    assert chosen.upper_s <= view.policy.backfill_max_s
    mine = [j for j in view.jobs if view.booking.admits(j.owner) and j.state is JobState.QUEUED and j.checked]
    assert all(explain(view, j, NOW).rule is Rule.BOOKING_AHEAD for j in mine)


@given(VIEWS)
def test_nobody_runs_into_a_booking_that_is_not_theirs(view: View) -> None:
    for wait_s in (0.0, 20.0, 600.0):
        chosen = next_job(view, NOW, wait_s=wait_s)
        if chosen is None:
            continue
        reached = [b for b in view.ahead if b.start_at < after(wait_s + chosen.upper_s)]
        assert all(b.admits(chosen.owner) and b.mode is not BookingMode.MAINTENANCE for b in reached)


@given(VIEWS)
def test_nobody_else_runs_in_an_exclusive_booking_and_nobody_in_a_maintenance(view: View) -> None:
    chosen = next_job(view, NOW)
    if view.booking is None or view.booking.mode is BookingMode.PRIORITY:
        return
    if view.booking.mode is BookingMode.MAINTENANCE:
        assert chosen is None
    elif chosen is not None:
        assert view.booking.admits(chosen.owner)


@given(VIEWS, st.floats(0.0, 1.0, exclude_max=True))
def test_until_the_next_change_nothing_that_waits_gets_free(view: View, part: float) -> None:
    change = next_change(view, NOW)
    later = NOW + part * ((change or after(86_400)) - NOW)
    if change is not None and later >= change:
        return
    for one in view.jobs:
        alone = replace(view, jobs=(one,))
        if next_job(alone, NOW) is None:
            assert next_job(alone, later) is None
    if next_job(view, NOW) is None:
        assert next_job(view, later) is None


@given(VIEWS)
def test_a_change_is_always_still_to_come(view: View) -> None:
    change = next_change(view, NOW)
    assert change is None or change > NOW


@given(VIEWS, st.lists(st.tuples(PERSON, st.sampled_from([1.0, 40.0]), st.integers(-2, 2)), max_size=3))
def test_what_comes_back_is_barred_or_makes_room_for_who_goes_first(
    view: View, rows: list[tuple[str, float, int]]
) -> None:
    staged = [
        (job(100 + n, owner, upper_s=upper_s, priority=priority, state=JobState.ASSIGNED), 0.0)
        for n, (owner, upper_s, priority) in enumerate(rows)
    ]
    back = recalled(view, staged, NOW)
    first = next_job(view, NOW)
    for one, _ in staged:
        waiting = replace(view, jobs=(one.with_(state=JobState.QUEUED),))
        if next_job(waiting, NOW) is None:
            assert one in back
        elif one in back:
            assert first is not None
            assert rank(view)(first) < rank(view)(one)


@given(VIEWS, st.sampled_from([0.0, 10.0, 700.0]))
def test_a_predicted_start_is_outside_of_what_is_closed_to_the_job(view: View, work_s: float) -> None:
    for one in view.jobs:
        begin = eta(view, one, NOW, work_s)
        assert begin >= NOW
        for other in view.ahead:
            if not other.admits(one.owner) or other.mode is BookingMode.MAINTENANCE:
                assert not other.start_at < begin < other.end_at


@given(VIEWS, st.sampled_from([0.0, 10.0, 700.0]), st.floats(1, 2000), st.booleans())
def test_bookings_that_nobody_uses_end_when_they_are_given_back(
    view: View, work_s: float, no_show_s: float, used: bool
) -> None:
    def changed(one: Booking, **changes: Any) -> Booking:
        return replace(one, used=used, no_show_s=no_show_s, **changes)

    def ended(one: Booking) -> Booking:
        whole = changed(one)
        return whole if whole.no_show_at is None else changed(one, end_at=min(one.end_at, whole.no_show_at))

    now = view.booking
    on = now is not None and (used or now.start_at + timedelta(seconds=no_show_s) > NOW)
    asked = replace(view, booking=changed(now) if now and on else None, ahead=tuple(map(changed, view.ahead)))
    short = replace(view, booking=ended(now) if now and on else None, ahead=tuple(map(ended, view.ahead)))
    for one in view.jobs:
        whole = eta(asked, one, NOW, work_s)
        assert eta(asked, one, NOW, work_s, unused=True) == eta(short, one, NOW, work_s) <= whole
        assert not used or eta(asked, one, NOW, work_s, unused=True) == whole


QUEUE = (job(1, "bob"), job(2, "ada", priority=5), job(3, "ada"), job(4, "eve", priority=9, upper_s=100.0))


@pytest.mark.parametrize(
    ("changes", "chosen"),
    [
        ({}, "j4"),
        ({"online": False}, None),
        ({"enabled": False}, None),
        ({"maintenance": True}, None),
        ({"hold": "too warm"}, None),
        ({"booking": booking(-9, 9, mode=BookingMode.MAINTENANCE)}, None),
        ({"booking": booking(-9, 9, mode=BookingMode.EXCLUSIVE)}, "j2"),
        ({"booking": booking(-9, 9, "zoe", mode=BookingMode.EXCLUSIVE)}, None),
        ({"booking": booking(-9, 9, "zoe", mode=BookingMode.EXCLUSIVE, invited=frozenset({"bob"}))}, "j1"),
        ({"booking": booking(-9, 9, "bob")}, "j1"),
        ({"booking": booking(-4, 9, "zoe")}, None),
        ({"booking": booking(-9, 9, "zoe")}, "j2"),
        ({"booking": booking(-9, 9, "zoe"), "activity": Activity(open_jobs=1)}, None),
        ({"booking": booking(-9, 9, "zoe"), "activity": Activity(last_end_at=after(-4.9))}, None),
        ({"booking": booking(-9, 9, "zoe"), "activity": Activity(last_end_at=after(-5))}, "j2"),
        ({"ahead": (booking(99, 200, "zoe"),)}, "j2"),
        ({"ahead": (booking(99, 200, "eve"),)}, "j4"),
        ({"ahead": (booking(99, 200, "eve", mode=BookingMode.MAINTENANCE),)}, "j2"),
        ({"session": Session(holder="bob", opened_at=NOW, expires_at=after(60))}, "j1"),
        ({"shares": {"eve": 9.0}, "policy": Policy(fair_share=True)}, "j4"),
    ],
)
def test_the_rules_one_by_one(changes: dict[str, Any], chosen: str | None) -> None:
    picked = next_job(View(qpu="q", jobs=QUEUE, **changes), NOW)
    assert (picked and picked.id) == chosen


def test_fair_share_comes_after_priority_and_before_age() -> None:
    view = View(qpu="q", jobs=(job(1, "ada"), job(2, "bob")), shares={"ada": 1.0}, policy=Policy(fair_share=True))
    assert getattr(next_job(view, NOW), "owner", None) == "bob"
    assert getattr(next_job(replace(view, policy=Policy()), NOW), "owner", None) == "ada"


@pytest.mark.parametrize(
    ("changes", "ahead", "rule", "words"),
    [
        ({}, 0, Rule.NEXT, "Next on q."),
        ({}, 1, Rule.BEHIND, "1 job goes first on q."),
        ({}, 3, Rule.BEHIND, "3 jobs go first on q."),
        ({"online": False}, 3, Rule.QPU_OFFLINE, "q is offline."),
        ({"hold": "too warm"}, 0, Rule.HOLD, "q is on hold: too warm."),
        ({"booking": booking(-9, 9, "zoe", mode=BookingMode.EXCLUSIVE)}, 0, Rule.BOOKED_EXCLUSIVE, "belongs to zoe."),
        ({"booking": booking(-4, 9, "zoe")}, 0, Rule.BOOKED_ACTIVE, "booked by zoe"),
        ({"booking": booking(-9, 9, "zoe")}, 0, Rule.BOOKED_TOO_LONG, "may take 1 min 40 s"),
        ({"ahead": (booking(99, 200, "zoe"),)}, 0, Rule.BOOKING_AHEAD, "into zoe's booking of q."),
        (
            {"session": Session(holder="bob", opened_at=NOW, expires_at=after(60))},
            0,
            Rule.SESSION,
            "bob holds a session",
        ),
    ],
)
def test_a_waiting_job_says_why(changes: dict[str, Any], ahead: int, rule: Rule, words: str) -> None:
    reason = explain(View(qpu="q", jobs=QUEUE, **changes), QUEUE[3], NOW, ahead=ahead)
    assert reason.rule is rule
    assert words in reason.message
    assert len(re.findall(r"\bq\b", reason.message)) == 1, "where it waits, once"
    assert reason.position == ahead + 1


def test_a_long_job_does_not_reach_over_its_owners_booking_into_the_next_one() -> None:
    mine, theirs = booking(10, 20, "eve"), booking(20, 30, "zoe")
    view = View(qpu="q", jobs=(QUEUE[3],), ahead=(mine, theirs))
    assert next_job(view, NOW) is None
    assert explain(view, QUEUE[3], NOW).message.endswith("zoe's booking of q.")


def test_nothing_goes_beyond_what_the_lab_looks_ahead() -> None:
    mine = tuple(booking(10 * n, 10 * n + 10, "eve") for n in range(1, AHEAD + 1))
    assert next_job(View(qpu="q", jobs=(QUEUE[3],), ahead=mine), NOW) == QUEUE[3]
    endless = job(9, "eve", upper_s=1e4)
    assert next_job(View(qpu="q", jobs=(endless,), ahead=mine[:-1]), NOW) == endless
    assert next_job(View(qpu="q", jobs=(endless,), ahead=mine), NOW) is None


@pytest.mark.parametrize(
    ("changes", "change"),
    [
        ({}, None),
        ({"booking": booking(-9, 9, "zoe", mode=BookingMode.EXCLUSIVE)}, 9.0),
        ({"booking": booking(-1, 9, "zoe")}, 4.0),
        ({"booking": booking(-1, 9, "zoe"), "activity": Activity(open_jobs=1)}, 9.0),
        ({"booking": booking(-9, 9, "zoe"), "activity": Activity(last_end_at=after(-2))}, 3.0),
        ({"booking": booking(-9, 9, "zoe")}, 9.0),
        ({"ahead": (booking(7, 9, "zoe"), booking(9, 12, "bob"))}, 7.0),
        ({"session": Session(holder="bob", opened_at=NOW, expires_at=after(30))}, 30.0),
    ],
)
def test_the_next_change(changes: dict[str, Any], change: float | None) -> None:
    assert next_change(View(qpu="q", **changes), NOW) == (None if change is None else after(change))


@pytest.mark.parametrize(
    ("changes", "work_s", "begins"),
    [
        ({}, 0.0, 0.0),
        ({}, 50.0, 50.0),
        ({"ahead": (booking(200, 300, "zoe"),)}, 50.0, 50.0),
        ({"ahead": (booking(120, 300, "zoe"),)}, 50.0, 300.0),
        ({"ahead": (booking(30, 300, "zoe"), booking(300, 400, "bob"))}, 50.0, 420.0),
        ({"ahead": (booking(30, 300, "eve"),)}, 50.0, 50.0),
        ({"booking": booking(-9, 300, "zoe")}, 50.0, 350.0),
        ({"booking": booking(-9, 300, "eve")}, 50.0, 50.0),
        ({"session": Session(holder="bob", opened_at=NOW, expires_at=after(30))}, 50.0, 80.0),
    ],
)
def test_the_predicted_start(changes: dict[str, Any], work_s: float, begins: float) -> None:
    assert eta(View(qpu="q", **changes), QUEUE[3], NOW, work_s) == after(begins)


@pytest.mark.parametrize(
    ("running", "places", "wait_s"), [([], 1, 0.0), ([3.0, 4.0], 1, 7.0), ([3.0, 4.0, 2.0], 2, 4.0)]
)
def test_how_long_a_staged_job_waits(running: list[float], places: int, wait_s: float) -> None:
    assert begins_in(running, places) == wait_s


def test_an_unchecked_job_waits_for_its_check() -> None:
    unchecked = job(1, checked=False)
    view = View(qpu="q", jobs=(unchecked,))
    assert next_job(view, NOW) is None
    assert explain(view, unchecked, NOW).rule is Rule.UNCHECKED
    message = explain(view, unchecked, NOW, unchecked="Its driver did not answer within 60 s.").message
    assert message == (
        "q has not checked the circuit yet. The last try failed, and it tries again: "
        "Its driver did not answer within 60 s."
    )


def test_a_maintenance_without_a_booking_promises_no_end() -> None:
    view = View(qpu="q", maintenance=True, booking=booking(-9, 9))
    assert explain(view, job(1), NOW).until is None
    booked = View(qpu="q", booking=booking(-9, 9, mode=BookingMode.MAINTENANCE))
    assert (explain(booked, job(1), NOW).rule, explain(booked, job(1), NOW).until) == (Rule.MAINTENANCE, after(9))


def test_bookings_are_half_open_and_a_released_one_counts_no_more() -> None:
    now_on, later = booking(0, 10), booking(10, 20)
    assert active([now_on, later], NOW) is now_on
    assert active([now_on, later], after(10)) is later
    assert following([later, now_on], NOW) is later
    assert active([replace(now_on, status=BookingStatus.RELEASED)], NOW) is None


@pytest.mark.parametrize("times", [(NOW, NOW), (NOW, NOW.replace(tzinfo=None))])
def test_a_booking_without_length_or_zone_is_none(times: tuple[datetime, datetime]) -> None:
    with pytest.raises(ValueError, match="a booking"):
        Booking(id="b", qpu="q", booked_by="ada", start_at=times[0], end_at=times[1])
