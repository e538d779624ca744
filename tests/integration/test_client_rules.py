"""Bookings, QPU time, people and sessions through the client, against a scripted lab."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from qpi_jupyter.client import BookingConflict, BookingHandle, BookingTable, Lab
from qpi_jupyter.core.errors import Conflict, NotFound, Rejected, Unavailable
from qpi_jupyter.wire.accounts import StatementLine
from qpi_jupyter.wire.jobs import Eta, WaitReason
from qpi_jupyter.wire.people import NoticeModel
from tests.faults.scripted_rest import NOW, TOKEN
from tests.faults.scripted_rules import RulesLab

BELL = "OPENQASM 3.0;\nqubit q;\nbit c;\nc = measure q;\n"
MONDAY = datetime(2030, 5, 6, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def stockholm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Stockholm")


@pytest.fixture
def server() -> Iterator[RulesLab]:
    with RulesLab() as server:
        yield server


@pytest.fixture
def lab(server: RulesLab) -> Iterator[Lab]:
    with Lab(server.url, TOKEN, retry_s=5.0) as lab:
        yield lab


def one(booking: BookingHandle | BookingTable) -> BookingHandle:
    assert isinstance(booking, BookingHandle)
    return booking


# -- bookings --------------------------------------------------------------------------------------------------------


def test_a_booking_keeps_to_the_kernels_clock(server: RulesLab, lab: Lab) -> None:
    booking = one(lab.book("sim-a", "2030-05-06 11:00", duration="1h 30min", title="T1", invite=["bo"]))
    assert (booking.start_at, booking.end_at) == (MONDAY, MONDAY + 1.5 * HOUR)
    sent = server.bodies[0]
    assert (sent.mode, sent.title, sent.invited, sent.timezone) == ("priority", "T1", ["bo"], "Europe/Stockholm")
    assert repr(booking) == "<Booking b1 'T1': sim-a Mon 6 May 2030 11:00-12:30 UTC+2 (priority)>"


def test_without_a_time_the_next_free_one_is_taken(server: RulesLab, lab: Lab) -> None:
    server.book(NOW, NOW + 3 * HOUR)
    booking = one(lab.book("sim-a", duration="2h"))
    assert (booking.start_at, booking.end_at) == (NOW + 3 * HOUR, NOW + 5 * HOUR)


def test_a_free_time_is_told_by_the_persons_clock(server: RulesLab, lab: Lab) -> None:
    server.book(MONDAY, MONDAY + 2 * HOUR)
    free = lab.next_free("sim-a", "1h", after="2030-05-06 11:30")
    assert (free.start_at, free.end_at) == (MONDAY + 2 * HOUR, MONDAY + 3 * HOUR)
    assert repr(free) == "<Free time of sim-a: Mon 6 May 2030 13:00-14:00 UTC+2>"


def test_who_is_quicker_is_not_in_the_way(server: RulesLab, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody books between the question what is free and the booking of it."""
    free = server.free
    quicker = iter([True, False])

    def racing(qpu: str, after: datetime, length: timedelta, but: str = "") -> datetime:
        found = free(qpu, after, length, but)
        if length == HOUR and next(quicker, False):
            server.book(found, found + HOUR)
        return found

    monkeypatch.setattr(server, "free", racing)
    assert one(lab.book("sim-a")).start_at == NOW + HOUR


def test_a_conflict_says_what_to_type(server: RulesLab, lab: Lab) -> None:
    server.book(MONDAY, MONDAY + 2 * HOUR)
    with pytest.raises(BookingConflict) as caught:
        lab.book("sim-a", "2030-05-06 12:00", duration="2h")
    assert caught.value.next_free_at == MONDAY + 2 * HOUR
    assert "Type lab.book('sim-a', '2030-05-06 13:00', duration='2 h') for it." in str(caught.value)
    booking = one(lab.book("sim-a", "2030-05-06 13:00", duration="2 h"))
    with pytest.raises(BookingConflict, match=r"booking.move\('2030-05-06 13:00'\)"):
        booking.move("2030-05-06 12:30")
    assert booking.start_at == MONDAY + 2 * HOUR, "the handle stays as it was"


def test_a_repetition_keeps_to_the_clock_of_its_zone(server: RulesLab, lab: Lab) -> None:
    table = lab.book("sim-a", "2030-05-06 9:00", repeat="FREQ=WEEKLY;COUNT=3", timezone="America/New_York")
    assert isinstance(table, BookingTable)
    assert len(table) == 3
    assert (server.bodies[0].rrule, server.bodies[0].timezone) == ("FREQ=WEEKLY;COUNT=3", "America/New_York")
    assert table[0].start_at == datetime(2030, 5, 6, 13, tzinfo=UTC)
    assert "repeats" in repr(table)
    assert "<td" in table._repr_html_()


def test_several_qpus_are_booked_together(lab: Lab) -> None:
    table = lab.book(["sim-a", "sim-b"], "2030-05-06 11:00")
    assert [booking.qpu for booking in table] == ["sim-a", "sim-b"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"start": "soon"}, "Cannot read"),
        ({"start": "2030-05-06 9:00", "end": "10:00", "duration": "1h"}, "not both"),
        ({"end": "10:00"}, "Say when it starts"),
        ({"start": "2030-05-06 9:00", "timezone": "Mars"}, "no time zone"),
        ({"start": "2030-05-06 9:00", "duration": "-1h"}, "duration"),
    ],
)
def test_what_cannot_be_meant_is_not_sent(server: RulesLab, lab: Lab, arguments: dict[str, str], said: str) -> None:
    with pytest.raises(Rejected, match=said):
        lab.book("sim-a", **arguments)  # type: ignore[arg-type]
    assert not server.bodies


def test_a_booking_is_changed_and_given_back(server: RulesLab, lab: Lab) -> None:
    booking = one(lab.book("sim-a", MONDAY, duration="2h"))
    assert booking.move("2030-05-07 11:00").end_at == MONDAY + timedelta(days=1, hours=2), "as long as before"
    assert booking.shorten("12:00").end_at == MONDAY + timedelta(days=1, hours=1)
    assert booking.invite("bo", "cy").invite("bo").model.invited == ["bo", "cy"]
    assert booking.edit(title="Rabi", mode="exclusive").model.title == "Rabi"
    for change in (
        lambda: booking.edit(title="Rabi", series="all"),
        lambda: booking.move("2030-05-07 11:00", series="all"),
        lambda: booking.shorten("12:00", series="all"),
    ):
        change()
        assert server.queries[-1] == {"series": "all"}
    assert booking.id in booking._repr_html_()
    assert "<table>" in booking._repr_html_()
    assert [line.split("  ", 1)[1] for line in repr(booking.history()).splitlines()[1:]] == [
        "created  ana  start Mon 6 May 2030 11:00 UTC+2; end Mon 6 May 2030 12:00 UTC+2; mode priority; title x",
        "changed  ana  end Mon 6 May 2030 12:00 UTC+2 → Mon 6 May 2030 13:00 UTC+2; invited bo",
    ]
    assert booking.release().model.status == "released"
    assert "released" in repr(booking)
    assert lab.booking(booking.id).delete(series="following").model.status == "deleted"
    assert server.queries[-1] == {"series": "following"}
    with pytest.raises(NotFound):
        lab.booking("b99")


def test_only_if_nobody_changed_it_meanwhile(server: RulesLab, lab: Lab) -> None:
    booking = one(lab.book("sim-a", MONDAY))
    server.change_booking(booking.id, title="theirs")
    with pytest.raises(Conflict, match="meanwhile"):
        booking.move(MONDAY + HOUR, version=booking.model.version)
    assert booking.invite("bo").model.title == "theirs", "an invitation reads the list again first"


def test_lists_go_over_several_pages(server: RulesLab, lab: Lab) -> None:
    for day in range(5):
        server.book(MONDAY + timedelta(days=day), MONDAY + timedelta(days=day, hours=1), mine=day != 2)
    assert len(lab.bookings()) == 4
    assert len(lab.bookings("sim-a", mine=False)) == 5
    assert len(lab.bookings("", mine=False)) == 5
    found = lab.bookings(mine=False, start="2030-05-07 0:00", end="2030-05-09 0:00")
    assert [booking.id for booking in found] == ["b2", "b3"]
    assert list(found.to_pandas()["qpu"]) == ["sim-a", "sim-a"]
    assert repr(lab.bookings("sim-b")) == "(No bookings.)"


def test_a_booking_whose_answer_was_lost_is_not_made_twice(server: RulesLab, lab: Lab) -> None:
    server.cut_before = 1
    with pytest.raises(Unavailable, match="not known whether"):
        lab.book("sim-a", MONDAY)
    assert len(server.bookings) == 1
    server.busy_answers = 2
    lab.book("sim-a", MONDAY + HOUR)
    assert len(server.bookings) == 2, "a lab that has not begun is asked again"


def test_it_all_works_from_an_event_loop(lab: Lab) -> None:
    async def cell() -> str:
        booking = one(await lab.book.aio("sim-a", MONDAY))
        await booking.move.aio(MONDAY + HOUR)
        return (await lab.bookings.aio())[0].id

    assert asyncio.run(cell()) == "b1"


# -- QPU time --------------------------------------------------------------------------------------------------------


def test_the_balance_says_what_is_there(server: RulesLab, lab: Lab) -> None:
    assert repr(lab.balance()) == "<QPU time of ana: 15 min available, 2 min reserved, 3 min used this month>"
    assert lab.balance("qed").model.name == "group:qed"
    assert "15 min" in lab.balance()._repr_html_()
    server.account = msgspec.structs.replace(server.account, limited=False, available_s=None)
    assert "ana: unlimited, 2 min reserved" in repr(lab.balance())


def test_a_statement_is_data(server: RulesLab, lab: Lab) -> None:
    rows = [("2030-04", "q1", 3, 60.0), ("2030-05", "q1", 1, 30.0), ("2030-05", "q2", 2, 12.5)]
    server.lines = [
        StatementLine(
            month=month, account="ana", person="ana", qpu=qpu, jobs=jobs, used_s=used, granted_s=0.0, refunded_s=0.0
        )
        for month, qpu, jobs, used in rows
    ]
    statement = lab.statement("2030-05", qpu="q1")
    assert server.queries[-1] == {"account": "ana", "qpu": "q1", "month": "2030-05"}
    assert statement.to_pandas()["used_s"].sum() == 102.5
    dataset = statement.to_xarray()
    assert dataset["used_s"].sel(month="2030-05", qpu="q2").item() == 12.5
    assert dataset["used_s"].sel(month="2030-04", qpu="q2").item() == 0.0
    assert dataset["used_s"].attrs["units"] == "s"
    assert "12.5 s" in repr(statement)
    lab.statement(MONDAY, group="qed", person="bo")
    assert server.queries[-1] == {"account": "group:qed", "person": "bo", "month": "2030-05"}
    lab.statement("", group="qed", person="", qpu="")
    assert server.queries[-1] == {"account": "group:qed"}


def test_time_is_asked_for_and_answered(server: RulesLab, lab: Lab) -> None:
    request = lab.request_time("2h", "calibration", group="qed")
    assert repr(request) == "<Request r1: 2 h for group:qed, pending>"
    assert server.bodies[-1].seconds == 7200
    assert repr(request.approve("fine", time="1h")).endswith("approved 1 h: fine>")
    assert server.bodies[-1].seconds == 3600
    assert lab.request_time("1h", "more").reject("no").model.answer == "no"
    assert lab.request_time("1h", "again").withdraw().model.status == "withdrawn"
    assert [request.model.status for request in lab.time_requests(mine=False)] == ["approved", "rejected", "withdrawn"]
    assert "calibration" in repr(lab.time_requests(status=""))
    assert "status" not in server.queries[-1], "an empty text is no filter"


# -- people ----------------------------------------------------------------------------------------------------------


def test_who_one_is(lab: Lab) -> None:
    me = lab.whoami()
    assert (me.name, me.groups, me.roles) == ("ana", ("qed",), ("user",))
    assert repr(me) == "<ana (Ana Lund), user; groups: qed>"


def test_a_token_is_shown_once(server: RulesLab, lab: Lab) -> None:
    token = lab.tokens.create("ci", scopes=["read"], expires="2031-01-01")
    assert "qpi_secret_t1" in repr(token)
    assert "qpi_secret_t1" not in repr(token)
    assert token.token == "qpi_secret_t1"
    assert server.bodies[-1].scopes == ["read"]
    assert "ci" in repr(lab.tokens)
    assert "read" in lab.tokens._repr_html_()
    lab.tokens.rename("ci", "cd")
    assert lab.tokens.expire("cd", None)[0].expires_at is None
    assert "No API tokens" in repr(lab.tokens.revoke("t1"))
    with pytest.raises(NotFound, match="'cd': no such token"):
        lab.tokens.revoke("cd")


def test_a_token_is_named_by_its_id_where_names_repeat(lab: Lab) -> None:
    lab.tokens.create("ci")
    lab.tokens.create("ci")
    with pytest.raises(NotFound, match="several tokens"):
        lab.tokens.revoke("ci")
    lab.tokens.revoke("t2")
    assert [token.id for token in lab.tokens.list()] == ["t1"]


def test_notices_stay_dismissed(server: RulesLab, lab: Lab) -> None:
    for key in ("n1", "n2"):
        server.notices[key] = NoticeModel(
            id=key, title="Warm-up", body="on Friday", created_by="mia", created_at=NOW, people=[], groups=[]
        )
    notices = lab.notices()
    assert "Warm-up" in repr(notices)
    assert "'Warm-up': on Friday" in repr(notices[0])
    notices[0].dismiss()
    assert [notice.model.id for notice in lab.notices()] == ["n2"]
    lab.notices().dismiss()
    assert repr(lab.notices()) == "(No notices.)"


# -- jobs ------------------------------------------------------------------------------------------------------------


def test_a_job_says_for_whom_it_is(server: RulesLab, lab: Lab) -> None:
    lab.submit(BELL, project="T1", group="qed", shared_with="qed")
    sent = server.submits[0]
    assert (sent.project, sent.group, sent.shared_with) == ("T1", "qed", "qed")


def test_why_tells_about_when_and_how_sure_that_is(server: RulesLab, lab: Lab) -> None:
    job = lab.submit(BELL)
    reason = WaitReason(rule="behind", message="2 jobs go first on sim-a.", position=3)
    server.change(job.id, reason=reason, eta=Eta(of="start", known=False))
    assert job.why() == "Waiting: 2 jobs go first on sim-a (position 3, start not known yet)"
    latest = MONDAY + timedelta(minutes=10)
    eta = Eta(of="start", known=True, earliest_at=MONDAY, likely_at=MONDAY, latest_at=latest, error_s=12.4)
    server.change(job.id, eta=eta)
    there = "Mon 6 May 2030 11:00"
    assert f"starts about {there} ({there} to Mon 6 May 2030 11:10 UTC+2), off by 12 s lately" in job.why()
    soon = datetime.now(UTC) + timedelta(seconds=90)
    server.change(job.id, eta=Eta(of="start", known=True, earliest_at=soon, likely_at=soon, latest_at=soon))
    assert re.search(f"{soon.astimezone(ZoneInfo('Europe/Stockholm')):%H:%M:%S} UTC.[12][)][)]", job.why())
