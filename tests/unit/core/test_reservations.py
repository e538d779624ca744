from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpi_jupyter.core.errors import Conflict, Faulted, QpiError, Rejected, TooLarge, Unavailable
from qpi_jupyter.core.lifecycle import ILLEGAL, Rule
from qpi_jupyter.core.plans import Choice, Cost, ReservationState
from qpi_jupyter.core.reservations import (
    BACK_OFF_S,
    HELD,
    JITTER,
    MAX_AGAIN,
    RESERVATION_TRANSITIONS,
    IllegalReservation,
    Reservation,
    ReservationEvent,
    ReservationEventKind,
    advance_reservation,
    asked_again,
    back_off_s,
    committed_until,
    measured_again,
    next_choice,
    quality,
    require_place,
    used,
)

ENDED = {state for state in ReservationState if state.value in ("executed", "rejected", "expired", "canceled")}
NOW = datetime(2030, 1, 1, tzinfo=UTC)
# The table as it was designed, letter by letter.
DESIGN = """
         | prepared| refused | committed| executed| expired| canceled
requested| prepared| rejected| !        | !       | expired| canceled
prepared | =       | rejected| committed| !       | expired| canceled
committed| !       | !       | =        | executed| expired| canceled
executed | .       | .       | .        | .       | .      | .
rejected | .       | .       | .        | .       | .      | .
expired  | .       | .       | .        | .       | .      | .
canceled | .       | .       | .        | .       | .      | .
"""
KINDS = list(ReservationEventKind)
FREE = Cost(esp=1, duration_s=1, wait_s=0, load=0, latency_s=0, total=0)


def place(state: ReservationState = ReservationState.REQUESTED, **fields: Any) -> Reservation:
    return Reservation(
        id="c.01", job_id="p", fragment=0, child_id="c", qpu="q1", state=state, created_at=NOW, changed_at=NOW,
        expires_at=NOW + timedelta(seconds=60), **fields,
    )  # fmt: skip


def test_the_table_is_the_designs() -> None:
    head, *rows = ([cell.strip() for cell in line.split("|")] for line in DESIGN.strip("\n").splitlines())
    assert head[1:] == [kind.value for kind in KINDS]
    wanted = {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}
    assert wanted == {
        s.value: {k.value: cell.value for k, cell in row.items()} for s, row in RESERVATION_TRANSITIONS.items()
    }


@pytest.mark.parametrize("state", list(ReservationState))
@pytest.mark.parametrize("kind", KINDS)
def test_a_reservation_does_what_the_cell_says(state: ReservationState, kind: ReservationEventKind) -> None:
    before, rule = place(state), RESERVATION_TRANSITIONS[state][kind]
    event = ReservationEvent(kind=kind, at=NOW + timedelta(seconds=1), reason="why", esp=0.9)
    if rule is ILLEGAL:
        with pytest.raises(IllegalReservation, match=r"cannot happen to reservation c\.01"):
            advance_reservation(before, event)
        return
    after = advance_reservation(before, event)
    if isinstance(rule, Rule):
        assert after is before
    else:
        assert (after.state, after.reason, after.esp, after.changed_at) == (rule, "why", 0.9, event.at)


@given(st.lists(st.sampled_from(KINDS), max_size=20))
def test_whatever_happens_what_has_ended_stays_and_nothing_runs_without_a_place(
    history: list[ReservationEventKind],
) -> None:
    now, seen = place(), [ReservationState.REQUESTED]
    for kind in history:
        try:
            after = advance_reservation(now, ReservationEvent(kind=kind, at=NOW))
        except IllegalReservation:
            assert now.state not in ENDED
            continue
        assert now.state not in ENDED or after is now
        if after.state is not now.state:
            seen.append(after.state)
        now = after
    if seen[-1] is ReservationState.EXECUTED:
        assert seen == [*list(ReservationState)[:3], ReservationState.EXECUTED]
    assert not HELD & ENDED
    assert len(seen) <= 4


@given(st.integers(0, 2**31), st.integers(0, 999), st.integers(1, MAX_AGAIN))
def test_the_wait_doubles_with_at_most_a_tenth_more_and_the_same_for_the_same_seed(
    seed: int, fragment: int, tries: int
) -> None:
    least = BACK_OFF_S * 2 ** (tries - 1)
    wait_s = back_off_s(seed, fragment, tries)
    assert least <= wait_s <= least * (1 + JITTER)
    assert wait_s == back_off_s(seed, fragment, tries)


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (Rejected("too wide"), False),
        (TooLarge("too large"), False),
        (Rejected("esp", code="unfit"), False),
        (Unavailable("no answer", code="no_responder"), False),
        (Unavailable("offline", code="qpu_offline"), False),
        (Faulted("gone", code="driver_lost"), False),
        (Unavailable("late", code="no_answer"), True),
        (Conflict("taken", code="reserved"), True),
        (Faulted("the cryostat is warm"), True),
    ],
    ids=lambda value: value.code if isinstance(value, QpiError) else "",
)
def test_what_may_pass_is_asked_for_again_twice(error: QpiError, again: bool) -> None:
    assert [asked_again(error, tries) for tries in (1, 2, 3)] == [again, again, False]


def test_a_fragment_goes_through_its_choices_in_their_order() -> None:
    cost = FREE
    choices = [Choice(qpu=name, calibration_id="", cost=cost) for name in ("q3", "q1", "q2")]
    used: list[str] = []
    while (choice := next_choice(choices, used)) is not None:
        used.append(choice.qpu)
    assert used == ["q3", "q1", "q2"]


def test_places_are_for_as_many_as_there_are() -> None:
    require_place("q1", 2, 1, None)
    with pytest.raises(Conflict) as caught:
        require_place("q1", 2, 2, NOW)
    assert (caught.value.code, caught.value.data) == (
        "reserved", {"qpu": "q1", "next_free_at": "2030-01-01T00:00:00+00:00"},
    )  # fmt: skip
    assert "until about 00:00:00 UTC" in caught.value.message
    assert committed_until(NOW, 30.0, 5.0) == NOW + timedelta(seconds=95)


def measured(child: str, qpu: str, observed: float | None, state: str = "executed") -> Reservation:
    one = place(ReservationState(state), esp=0.99, observed_esp=observed)
    return replace(one, id=f"{child}.01", child_id=child, qpu=qpu)


def test_a_fragment_is_measured_again_once_where_a_qpu_is_left() -> None:
    choices = [Choice(qpu=name, calibration_id="", cost=FREE) for name in ("q1", "q2")]
    poor, good = measured("c", "q1", 0.8), measured("c", "q1", 0.9)
    again = measured_again([poor], choices, 0.9)
    assert again is not None
    assert again.qpu == "q2"
    assert measured_again([good], choices, 0.9) is None
    assert measured_again([measured("c", "q1", None)], choices, 0.9) is None, "nobody knows"
    assert measured_again([poor], choices[:1], 0.9) is None
    more = [*choices, Choice(qpu="q3", calibration_id="", cost=FREE)]
    assert measured_again([poor, measured("d", "q2", 0.7)], more, 0.9) is None
    assert measured_again([measured("c", "q1", None, "rejected")], choices, 0.9) is None


def test_of_two_results_the_better_one_counts_and_the_first_if_they_are_as_good() -> None:
    first = measured("c", "q1", 0.8)
    for observed, counts in ((0.7, "c"), (0.8, "c"), (0.85, "d"), (None, "d")):
        assert used([first, measured("d", "q2", observed)]).child_id == counts
    assert used([first, measured("d", "q2", None, "requested")]).child_id == "d"
    assert used([first, measured("d", "q2", None, "rejected")]).child_id == "c"
    assert (quality(first), quality(measured("d", "q2", None))) == (0.8, 0.99)
