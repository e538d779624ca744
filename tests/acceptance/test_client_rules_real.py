"""The client's bookings, QPU time, tokens and sessions against a real lab server with its demo drivers."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from qpi_jupyter.client import BookingConflict, BookingHandle, BookingTable, Lab
from qpi_jupyter.core.errors import Conflict, Rejected, Unauthorized
from tests.support.servers import TOKEN, LabServer, lab_server, python_env
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

BELL = "OPENQASM 3.0;\nqubit q;\nbit c;\nc = measure q;\n"
HOLD = "import sys\nfrom qpi_jupyter import Lab\ns = Lab({url!r}, {token!r}).session('sim-a', idle=5).start()\n"
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with lab_server(tmp_path_factory.mktemp("lab"), "--QPIServer.demo=True") as server:
        yield server


@pytest.fixture
def lab(server: LabServer) -> Iterator[Lab]:
    with Lab(server.url, TOKEN, retry_s=5.0) as lab:
        wait_until(lambda: all(qpu.status == "online" for qpu in lab.qpus()), 60, "both QPUs online")
        yield lab
        for booking in lab.bookings(mine=False):
            booking.delete()


def one(booking: BookingHandle | BookingTable) -> BookingHandle:
    assert isinstance(booking, BookingHandle)
    return booking


def test_a_booking_from_first_to_last(lab: Lab) -> None:
    booking = one(lab.book("sim-b", TOMORROW, duration="2h", title="T1"))
    with pytest.raises(BookingConflict, match=r"Type lab\.book") as caught:
        lab.book("sim-b", TOMORROW + HOUR)
    assert caught.value.next_free_at == TOMORROW + 2 * HOUR
    assert one(lab.book("sim-b", caught.value.next_free_at)).start_at == TOMORROW + 2 * HOUR
    assert booking.move(TOMORROW - 3 * HOUR).shorten(duration="30min").end_at == TOMORROW - 2.5 * HOUR
    assert booking.invite("bo").model.invited == ["bo"]
    assert [row[1] for row in map(booking.history().row, booking.history())] == ["created", *["changed"] * 3]
    assert lab.bookings("sim-b")[0].id == booking.id
    assert booking.delete().model.status == "deleted"
    assert booking.id not in [b.id for b in lab.bookings()]


def test_a_series_and_a_slot(lab: Lab) -> None:
    series = lab.book("sim-a", TOMORROW, repeat="FREQ=DAILY;COUNT=3", timezone="Europe/Stockholm")
    assert isinstance(series, BookingTable)
    assert [b.start_at - TOMORROW for b in series][2] >= timedelta(hours=47), "days of 23 hours count as days"
    assert len(series) == 3
    series[1].edit(title="cal", series="following")
    assert [b.refresh().model.title for b in series] == ["", "cal", "cal"]
    series[0].move(TOMORROW + timedelta(hours=1), series="all")
    assert [b.start_at.astimezone(TOMORROW.tzinfo).hour for b in lab.bookings("sim-a")] == [
        (TOMORROW.hour + 1) % 24
    ] * 3
    series[0].move(TOMORROW, series="all")
    series[1].delete("following")
    assert len(lab.bookings("sim-a")) == 1
    with pytest.raises(BookingConflict):
        lab.book(["sim-a", "sim-b"], TOMORROW)
    assert len(lab.bookings("sim-b")) == 0, "all or nothing"


def test_what_is_used_is_on_the_statement(lab: Lab) -> None:
    before = lab.balance().used_s
    job = lab.submit(BELL, qpu="sim-a", name="counted", project="rules").wait()
    assert lab.balance().used_s == pytest.approx(before + (job.model.busy_s or 0), abs=1e-6)
    assert lab.statement(qpu="sim-a").to_xarray()["used_s"].sum() == pytest.approx(lab.balance().used_s, abs=1e-6)
    assert [found.id for found in lab.jobs(project="rules")] == [job.id]
    request = lab.request_time("1h", "more")
    assert request.approve("granted", time="30min").model.granted_s == 1800
    with pytest.raises(Conflict):
        request.refresh().reject("twice")


def test_a_manager_holds_a_qpu_and_lets_go(lab: Lab) -> None:
    qpu = lab.qpu("sim-b").edit(hold="warming up", description="warm")
    assert (qpu.status, qpu.reason, qpu.description) == ("held", "warming up", "warm")
    assert lab.qpus()["sim-b"].status == "held"
    assert lab.qpu("sim-b").edit(hold=None, maintenance=True).status == "maintenance"
    assert qpu.refresh().status == "maintenance"
    assert qpu.edit(maintenance=False, description="A line of five qubits").status == "online"
    with pytest.raises(TypeError, match=r"edit\(\) has no option 'maintainance'. Did you mean maintenance"):
        qpu.edit(maintainance=True)  # type: ignore[call-arg]


def test_time_is_granted_to_a_group_and_taken_back(server: LabServer, lab: Lab) -> None:
    server.client().post("qpi/v1/groups", json={"name": "qed", "members": [lab.whoami().name]}).raise_for_status()
    before = lab.balance(group="qed").model.balance_s
    assert lab.grant_time("2h", "course", group="qed").model.balance_s == before + 7200
    assert (
        asyncio.run(lab.grant_time.aio(600, "too much", group="qed", take_back=True)).model.balance_s == before + 6600
    )
    with pytest.raises(Rejected, match=r"person=\.\.\. or group="):
        lab.grant_time("2h", "whose?")


def test_a_feed_is_read_until_it_is_revoked(lab: Lab) -> None:
    one(lab.book("sim-b", TOMORROW, title="T1 of q0"))
    feed = lab.feeds.create("sim-b")
    assert "T1 of q0" in httpx.get(feed.url).text
    assert feed.url not in repr(feed) + repr(lab.feeds), "no notebook saves an address"
    assert [row.qpu for row in lab.feeds.list()] == ["sim-b"]
    assert len(lab.feeds.revoke(feed)) == 0
    assert httpx.get(feed.url).status_code == 404


def test_a_calendar_file_is_booked_and_says_what_was_refused(lab: Lab, tmp_path: Path) -> None:
    day = f"{TOMORROW:%Y%m%d}"
    events = [("T1", "090000Z", "100000Z"), ("T2", "093000Z", "110000Z")]
    file = tmp_path / "beamtime.ics"
    file.write_text(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n"
        + "".join(
            f"BEGIN:VEVENT\r\nUID:{title}\r\nDTSTAMP:{day}T000000Z\r\nSUMMARY:{title}\r\n"
            f"DTSTART:{day}T{start}\r\nDTEND:{day}T{end}\r\nEND:VEVENT\r\n"
            for title, start, end in events
        )
        + "END:VCALENDAR\r\n"
    )
    found = lab.import_bookings(file, "sim-a")
    assert [(b.start_at, b.model.title) for b in found] == [(TOMORROW, "T1")]
    assert [event["title"] for event in found.refused] == ["T2"]
    assert "Refused: T2: sim-a is booked" in repr(found)
    assert [event["uid"] for event in lab.import_bookings(file.read_bytes(), "sim-a").refused] == ["T1", "T2"]


def test_events_come_by_pages(lab: Lab) -> None:
    page = lab.events()
    assert page.events == []
    lab.submit(BELL, qpu="sim-a").wait()
    kinds = [event.kind for event in lab.events(page.cursor, wait_s=10).events]
    assert kinds[0] == "job.submitted"


def test_a_token_works_until_it_is_revoked(server: LabServer, lab: Lab) -> None:
    token = lab.tokens.create("script", scopes=["read"], expires="+1d")
    with Lab(server.url, token.token, retry_s=0.0) as script:
        assert len(script.qpus()) == 2
        lab.tokens.rename("script", "old script")
        assert "old script" in repr(lab.tokens.revoke(token.id)) or "No API tokens" in repr(lab.tokens)
        with pytest.raises(Unauthorized):
            script.qpus()


def test_a_session_runs_a_loop(lab: Lab) -> None:
    with lab.session("sim-a", budget="5m") as s:
        jobs = [s.run(BELL, shots=100) for _ in range(3)]
        with pytest.raises(Conflict):
            lab.session("sim-a").start()
    busy_s = sum(job.model.busy_s or 0 for job in jobs)
    assert s.busy_s == pytest.approx(busy_s, abs=1e-3)
    assert s.held_s >= s.busy_s


def test_a_session_ends_with_a_killed_kernel(server: LabServer, lab: Lab) -> None:
    code = HOLD.format(url=server.url, token=TOKEN) + "print(s.model.id, flush=True)\nsys.stdin.read()\n"
    kernel = subprocess.Popen(
        [sys.executable, "-c", code], env=python_env(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with kernel:
        assert kernel.stdout is not None
        assert kernel.stdout.readline().startswith("ses-")
        with pytest.raises(Conflict):
            lab.session("sim-a").start()
        kernel.kill()

    def opened() -> bool:
        try:
            lab.session("sim-a").start().close()
        except Conflict:
            return False
        return True

    wait_until(opened, 15, "the end of the session")
