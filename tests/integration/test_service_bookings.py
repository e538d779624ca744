"""Bookings through the service: who may do what when, all or nothing, and what is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qpi_jupyter.core.access import Principal
from qpi_jupyter.core.bookings import BookingStatus
from qpi_jupyter.core.errors import BookingConflict, Conflict, Forbidden, NotFound, QpiError, Rejected
from qpi_jupyter.wire.bookings import (
    BookingChange,
    BookingIn,
    BookingList,
    BookingModel,
    BookingRule,
    BookingRuleIn,
    QuietHours,
)
from qpi_server.service import Lab
from qpi_server.service.base import Wake, stream
from qpi_server.store import audit
from tests.faults.lab import ANN, BOB, FrozenClock
from tests.support.bookings import BOSS, HOUR, START, at, fails, made, play, refusal, span


def test_a_booking_is_made_listed_and_read(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        booking = await made(lab, ANN, span(1, 2, title="Rabi", invited=["bob", "ann"]))
        assert (booking.qpu, booking.booked_by, booking.start_at, booking.end_at) == ("q1", "ann", at(1), at(2))
        assert (booking.mode, booking.status, booking.version) == ("priority", "booked", 1)
        assert (booking.title, booking.invited, booking.mine) == ("Rabi", ["bob"], True)
        assert await lab.bookings.get(ANN, booking.id) == booking
        assert (await lab.bookings.list(ANN)).bookings == [booking]
        seen = await lab.bookings.get(BOSS, booking.id)
        assert (seen.mine, seen.booked_by) == (False, "ann")

    play(tmp_path, dialogue)


def test_the_past_is_refused(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        await fails(lab.bookings.create(ANN, span(-1, 1)), Rejected, "in_the_past", "start_at")
        await fails(lab.bookings.create(BOSS, span(-3, -2)), Rejected, "in_the_past", "end_at")
        await made(lab, ANN, BookingIn(qpu="q1", start_at=START - timedelta(seconds=59), end_at=at(1)))

    play(tmp_path, dialogue)


def test_a_manager_books_what_goes_on_already(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        assert (await made(lab, BOSS, span(-3, 0.1))).start_at == at(-3)

    play(tmp_path, dialogue)


def test_an_overlap_is_refused_to_everybody_and_names_what_is_free(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        first = await made(lab, ANN, span(1, 2))
        await made(lab, ANN, span(2, 3))  # half-open: they touch
        for who in (ANN, BOB, BOSS):
            error = await refusal(lab.bookings.create(who, span(1.5, 2.5)))
            assert isinstance(error, BookingConflict)
            assert [clash["start_at"] for clash in error.clashes] == [at(1).isoformat(), at(2).isoformat()]
            assert error.clashes[0]["id"] == first.id
            assert error.next_free == {"start_at": at(3).isoformat(), "end_at": at(4).isoformat()}
            assert "2030-01-01 03:00 UTC" in error.message
        await made(lab, BOB, span(1, 2, qpu="q2"))  # another QPU is not concerned

    play(tmp_path, dialogue)


def test_a_started_booking_is_frozen_but_for_an_earlier_end(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        booking = await made(lab, ANN, span(1, 3))
        clock.advance(2 * HOUR)
        change = lab.bookings.change
        await fails(
            change(ANN, booking.id, BookingChange(start_at=at(4), end_at=at(5))),
            Conflict,
            "already_started",
            "start_at",
        )
        await fails(change(ANN, booking.id, BookingChange(end_at=at(4))), Conflict, "already_started", "end_at")
        await fails(change(ANN, booking.id, BookingChange(mode="exclusive")), Conflict, "already_started", "mode")
        await fails(change(ANN, booking.id, BookingChange(end_at=at(1.5))), Rejected, "in_the_past", "end_at")
        await fails(lab.bookings.delete(ANN, booking.id), Conflict, "already_started")
        assert (await change(ANN, booking.id, BookingChange(end_at=at(2.5), title="T1"))).end_at == at(2.5)
        assert (await change(BOSS, booking.id, BookingChange(start_at=at(1.5), end_at=at(4)))).end_at == at(4)
        clock.advance(3 * HOUR)
        for work in (
            change(ANN, booking.id, BookingChange(title="late")),
            lab.bookings.delete(ANN, booking.id),
            lab.bookings.release(ANN, booking.id),
        ):
            await fails(work, Conflict, "booking_over")

    play(tmp_path, dialogue)


def test_others_cannot_touch_a_booking_and_managers_leave_a_line(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        booking = await made(lab, ANN, span(1, 2, invited=["bob"]))
        for work in (
            lab.bookings.change(BOB, booking.id, BookingChange(end_at=at(1.5))),
            lab.bookings.release(BOB, booking.id),
            lab.bookings.delete(BOB, booking.id),
            lab.bookings.delete(BOB, booking.id, series="all"),
        ):
            await fails(work, Forbidden, "not_yours")
        await fails(lab.bookings.create(ANN, span(3, 4, booked_by="bob")), Forbidden, "managers_only", "booked_by")
        other = await made(lab, BOSS, span(3, 4, booked_by="bob"))
        assert other.booked_by == "bob"
        await lab.bookings.delete(BOSS, booking.id)
        lines = await lab.context.db.read(lambda connection: audit.page(connection, before=None, limit=9))
        said = [(line.who, line.action, line.subject) for line in lines if line.action.startswith("booking.")]
        assert said == [
            ("boss", "booking.deleted", f"booking:{booking.id}"), ("boss", "booking.created", f"booking:{other.id}"),
        ]  # fmt: skip

    play(tmp_path, dialogue)


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"end_at": at(1)}, "reversed", "end_at"),
        ({"end_at": at(0.5)}, "reversed", "end_at"),
        ({"end_at": at(24 * 367)}, "too_long", "end_at"),
        ({"timezone": "Mars/Olympus"}, "bad_timezone", "timezone"),
        ({"timezone": "../../etc/passwd"}, "bad_timezone", "timezone"),
        ({"timezone": "America"}, "bad_timezone", "timezone"),
        ({"title": "a\nb"}, "bad_title", "title"),
        ({"qpu": None}, "bad_request", "qpu"),
        ({"qpus": ["q2"]}, "bad_request", "qpu"),
        ({"qpu": None, "qpus": ["q2", "q2"]}, "bad_request", "qpus"),
        ({"rrule": "FREQ=MINUTELY"}, "bad_rrule", "rrule"),
        ({"rrule": "FREQ=DAILY;COUNT=401"}, "too_many_occurrences", "rrule"),
    ],
)
def test_bad_input_names_its_field(tmp_path: Path, fields: dict[str, Any], code: str, field: str) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        for who in (ANN, BOSS):
            await fails(lab.bookings.create(who, span(1, 2, **fields)), Rejected, code, field)
        assert (await lab.bookings.list(ANN)).bookings == []

    play(tmp_path, dialogue)


def test_an_unknown_qpu_or_booking_is_not_found(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        await refusal_of(NotFound, lab.bookings.create(ANN, span(1, 2, qpu="q9")))
        await refusal_of(NotFound, lab.bookings.list(ANN, qpu="q9"))
        await refusal_of(NotFound, lab.bookings.next_free(ANN, "q9", 60))
        await refusal_of(NotFound, lab.bookings.get(ANN, "bk-none"))
        await refusal_of(NotFound, lab.bookings.history(ANN, "bk-none"))
        await refusal_of(NotFound, lab.bookings.change_slot(ANN, "slot-none", BookingChange()))
        await refusal_of(NotFound, lab.bookings.delete_slot(ANN, "slot-none"))
        await refusal_of(NotFound, lab.booking_rules.delete(BOSS, "rule-none"))

    play(tmp_path, dialogue)


async def refusal_of(kind: type[QpiError], work: Awaitable[Any]) -> None:
    assert type(await refusal(work)) is kind


# --- changing


def test_a_move_keeps_to_the_calendar_and_its_version(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        booking = await made(lab, ANN, span(1, 3))
        await made(lab, BOB, span(4, 5))
        moved = await lab.bookings.change(ANN, booking.id, BookingChange(start_at=at(2), end_at=at(4), version=1))
        assert (moved.start_at, moved.end_at, moved.version) == (at(2), at(4), 2)
        stale = lab.bookings.change(ANN, booking.id, BookingChange(end_at=at(3), version=1))
        assert (await fails(stale, Conflict, "version_mismatch", "version")).data["version"] == 2
        assert isinstance(
            await refusal(lab.bookings.change(ANN, booking.id, BookingChange(end_at=at(4.5)))), BookingConflict
        )
        same = await lab.bookings.change(ANN, booking.id, BookingChange(end_at=at(4)))
        assert same.version == 2
        assert len((await lab.bookings.history(ANN, booking.id)).events) == 2

    play(tmp_path, dialogue)


def test_what_is_given_back_is_free_and_what_was_used_stays(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        used, unused = await made(lab, ANN, span(1, 3)), await made(lab, ANN, span(5, 6))
        clock.advance(1.5 * HOUR)
        used = await lab.bookings.release(ANN, used.id)
        assert (used.status, used.end_at) == ("released", at(1.5))
        unused = await lab.bookings.release(ANN, unused.id)
        assert (unused.status, unused.end_at) == ("released", at(6))
        await made(lab, BOB, span(1.5, 6))
        await fails(lab.bookings.release(ANN, used.id), Conflict, "booking_ended")
        await fails(lab.bookings.delete(ANN, unused.id), Conflict, "booking_ended")
        await fails(lab.bookings.change(BOSS, used.id, BookingChange(title="x")), Conflict, "booking_ended")
        booked = await lab.bookings.list(ANN, status=BookingStatus.BOOKED)
        assert [b.booked_by for b in booked.bookings] == ["bob"]

    play(tmp_path, dialogue)


def test_maintenance_is_for_managers_and_never_over_a_booking(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        await fails(lab.bookings.create(ANN, span(1, 2, mode="maintenance")), Forbidden, "managers_only", "mode")
        mine = await made(lab, ANN, span(1, 2))
        change = lab.bookings.change(ANN, mine.id, BookingChange(mode="maintenance"))
        await fails(change, Forbidden, "managers_only", "mode")
        error = await refusal(lab.bookings.create(BOSS, span(0, 9, mode="maintenance")))
        assert isinstance(error, BookingConflict)
        assert [clash["id"] for clash in error.clashes] == [mine.id]
        assert (await made(lab, BOSS, span(2, 9, mode="maintenance"))).mode == "maintenance"

    play(tmp_path, dialogue)


# --- slots and series


def test_a_slot_is_all_of_its_qpus_or_none(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        await made(lab, BOB, span(1, 2, qpu="q2"))
        both = {"qpu": None, "qpus": ["q1", "q2"]}
        error = await refusal(lab.bookings.create(ANN, span(1.5, 3, **both)))
        assert isinstance(error, BookingConflict)
        assert error.clashes[0]["qpu"] == "q2"
        assert error.next_free == {"start_at": at(2).isoformat(), "end_at": at(3.5).isoformat()}
        assert (await lab.bookings.list(ANN, qpu="q1")).bookings == []

        slot = (await lab.bookings.create(ANN, span(2, 3, **both))).bookings
        assert [b.qpu for b in slot] == ["q1", "q2"]
        [slot_id] = {b.slot_id for b in slot}
        assert slot_id is not None
        blocked = lab.bookings.change_slot(ANN, slot_id, BookingChange(start_at=at(1)))
        assert isinstance(await refusal(blocked), BookingConflict)
        moved = (await lab.bookings.change_slot(ANN, slot_id, BookingChange(start_at=at(4), end_at=at(5)))).bookings
        assert {(b.start_at, b.version) for b in moved} == {(at(4), 2)}
        await lab.bookings.change(ANN, slot[1].id, BookingChange(end_at=at(6)))  # one of them means all
        assert {b.end_at for b in (await lab.bookings.list(ANN, slots=True)).bookings} == {at(6)}
        await fails(lab.bookings.delete_slot(BOB, slot_id), Forbidden, "not_yours")
        assert {b.status for b in (await lab.bookings.delete_slot(ANN, slot_id)).bookings} == {"deleted"}
        assert (await lab.bookings.list(ANN, slots=True)).bookings == []
        await refusal_of(NotFound, lab.bookings.delete_slot(ANN, slot_id))

    play(tmp_path, dialogue)


def test_next_free_is_what_one_may_book(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        quiet = [QuietHours(start="00:00", end="02:00")]
        rule = BookingRule(granularity_s=1800, shortest_s=HOUR, longest_s=4 * HOUR, horizon_s=48 * HOUR, quiet=quiet)
        await lab.booking_rules.set(BOSS, BookingRuleIn(rule=rule))
        await made(lab, BOB, span(2, 4))
        found = await lab.bookings.next_free(ANN, "q1", 60)
        assert (found.start_at, found.end_at) == (at(4), at(5))
        await made(lab, ANN, span(4, 5))
        assert (await lab.bookings.next_free(ANN, "q1", 60, after=at(5.1))).start_at == at(5.5)
        assert (await lab.bookings.next_free(BOSS, "q1", 60)).end_at == START + timedelta(seconds=60)
        await fails(lab.bookings.next_free(ANN, "q1", 5 * HOUR), Rejected, "too_long", "end_at")
        await fails(lab.bookings.next_free(ANN, "q1", HOUR, after=at(50)), Conflict, "nothing_free")
        for seconds in (0, -1, float("nan"), float("inf")):
            await fails(lab.bookings.next_free(ANN, "q1", seconds), Rejected, "bad_query", "seconds")

    play(tmp_path, dialogue)


def test_a_list_comes_in_pages_and_is_filtered(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        for hour in range(5):
            await made(lab, ANN if hour % 2 else BOB, span(hour, hour + 1, invited=['x"ann"'] if hour == 2 else []))
            await made(lab, BOB, span(hour, hour + 1, qpu="q2", invited=["ann"] if hour == 4 else []))
        seen, after = [], None
        while True:
            page = await lab.bookings.list(ANN, limit=3, after=after)
            seen += page.bookings
            after = page.next
            if after is None:
                break
        assert len({b.id for b in seen}) == 10
        assert [b.start_at for b in seen] == sorted(b.start_at for b in seen)
        mine = (await lab.bookings.list(ANN, mine=True)).bookings
        assert [(b.qpu, b.start_at) for b in mine] == [("q1", at(1)), ("q1", at(3)), ("q2", at(4))]
        week = (await lab.bookings.list(ANN, qpu="q1", start=at(1), end=at(2))).bookings
        assert [b.start_at for b in week] == [at(1)]
        for cursor in ("x", "nan~a", "1e99~a", "~"):
            await fails(lab.bookings.list(ANN, after=cursor), Rejected, "bad_query", "after")

    play(tmp_path, dialogue)


def test_history_and_the_stream_tell_who_did_what(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        booking = await made(lab, ANN, span(1, 2, title="T2"))
        await lab.bookings.change(BOSS, booking.id, BookingChange(end_at=at(3)))
        clock.advance(2 * HOUR)
        await lab.bookings.release(ANN, booking.id)
        story = (await lab.bookings.history(BOB, booking.id)).events
        assert [(e.data.action, e.data.by) for e in story] == [
            ("created", "ann"), ("changed", "boss"), ("released", "ann"),
        ]  # fmt: skip
        assert story[0].data.before is None
        assert story[1].data.before.end_at == at(2)
        assert story[2].data.after.status == "released"
        assert story[2].data.after.title == "T2"
        stream = (await lab.events.page(BOB)).events
        assert [e.seq for e in stream if e.kind == "booking.changed"] == [e.seq for e in story]

    play(tmp_path, dialogue)


def test_a_lab_may_keep_names_private(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        booking = await made(lab, ANN, span(1, 2, title="secret", invited=["cid"]))
        other = await lab.bookings.get(BOB, booking.id)
        assert (other.booked_by, other.title, other.invited, other.mine) == (None, None, [], False)
        for who in (ANN, BOSS, Principal(name="cid", roles=ANN.roles)):
            assert (await lab.bookings.get(who, booking.id)).title == "secret"
        text = str((await lab.bookings.history(BOB, booking.id)).events)
        assert not [word for word in ("ann", "secret", "cid") if word in text]

    play(tmp_path, dialogue, public_bookings=False)


def test_a_change_wakes_the_dispatcher_and_the_readers(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        woken: list[str] = []
        lab.context.commits.on(Wake, lambda wake: woken.append(wake.qpu))
        booking = await made(lab, ANN, span(1, 2))
        assert woken == ["q1"]
        with lab.context.followers.listening(stream(BOB.name), stream("")) as news:
            await lab.bookings.delete(ANN, booking.id)
            assert news.is_set()
        assert woken == ["q1", "q1"]

    play(tmp_path, dialogue)


def test_of_many_who_want_the_same_hour_one_gets_it(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        wanted = [(Principal(name=f"p{n}", roles=ANN.roles), span(n / 8, n / 8 + 1)) for n in range(24)]
        outcomes = await asyncio.gather(*(lab.bookings.create(who, r) for who, r in wanted), return_exceptions=True)
        assert all(isinstance(outcome, BookingConflict | BookingList) for outcome in outcomes)
        booked = (await lab.bookings.list(ANN, status=BookingStatus.BOOKED)).bookings
        assert all(one.end_at <= other.start_at for one, other in pairwise(booked))
        assert len(booked) == sum(isinstance(outcome, BookingList) for outcome in outcomes) > 0

    play(tmp_path, dialogue)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "series", "slot", "change", "release", "delete", "following", "wait"]),
        st.integers(0, 30),
        st.integers(1, 6),
        st.sampled_from([ANN, BOB, BOSS]),
        st.sampled_from(["q1", "q2"]),
    ),
    max_size=25,
)


async def step(lab: Lab, clock: FrozenClock, ids: list[str], move: tuple[str, int, int, Principal, str]) -> None:
    """One thing that somebody does, to whichever booking."""
    what, start, length, who, qpu = move
    request = span(start / 2, (start + length) / 2, qpu=qpu)
    chosen = ids[start % len(ids)] if ids else "none"
    made_: list[BookingModel] = []
    match what:
        case "create":
            made_ = (await lab.bookings.create(who, request)).bookings
        case "series":
            request.rrule = "FREQ=DAILY;COUNT=3"
            made_ = (await lab.bookings.create(who, request)).bookings
        case "slot":
            request.qpu, request.qpus = None, ["q1", "q2"]
            made_ = (await lab.bookings.create(who, request)).bookings
        case "change":
            await lab.bookings.change(who, chosen, BookingChange(start_at=request.start_at, end_at=request.end_at))
        case "release":
            await lab.bookings.release(who, chosen)
        case "delete":
            await lab.bookings.delete(who, chosen)
        case "following":
            await lab.bookings.delete(who, chosen, series="following")
        case "wait":
            clock.advance(length * HOUR / 2)
    ids += [booking.id for booking in made_]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_is_asked_nothing_overlaps_and_every_change_is_told(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int, Principal, str]]
) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        ids: list[str] = []
        for move in steps:
            with contextlib.suppress(Rejected, Conflict, Forbidden, NotFound):
                await step(lab, clock, ids, move)
        found = [await lab.bookings.get(BOSS, booking_id) for booking_id in ids]
        for qpu in ("q1", "q2"):
            booked = sorted((b.start_at, b.end_at) for b in found if b.qpu == qpu and b.status == "booked")
            assert all(end <= start for (_, end), (start, _) in pairwise(booked))
        for booking in found:
            story = (await lab.bookings.history(BOSS, booking.id)).events
            assert [event.data.after.version for event in story] == list(range(1, booking.version + 1))
            assert story[-1].data.after.status == booking.status
        slots = {b.slot_id: {(x.start_at, x.end_at, x.status) for x in found if x.slot_id == b.slot_id} for b in found}
        assert all(len(intervals) == 1 for slot, intervals in slots.items() if slot is not None)

    play(tmp_path_factory.mktemp("lab"), dialogue)
