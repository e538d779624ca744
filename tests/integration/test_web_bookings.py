"""Bookings over HTTP: every route, calendar programs that subscribe, calendar files that are imported."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
from icalendar import Calendar

from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.wire.bookings import BookingChange, BookingIn, FeedIn
from qpi_jupyter.wire.rest import QpuIn, TokenIn
from qpi_server.service import Lab
from tests.faults.lab import ADMIN, ANN, BOB, FrozenClock, open_lab
from tests.support.web import serving

BOSS = Principal(name="boss", roles=frozenset({Role.MANAGER}))
START = datetime(2030, 1, 1, tzinfo=UTC)


class Street:
    """A lab with q1 and q2 behind its surface, and what its people send."""

    def __init__(self, lab: Lab, clock: FrozenClock, client: httpx.AsyncClient, tokens: dict[str, str]) -> None:
        self.lab, self.clock, self.client, self._tokens = lab, clock, client, tokens

    async def __call__(self, who: Principal | None, method: str, path: str, **more: Any) -> httpx.Response:
        headers = more.pop("headers", {})
        if who is not None:
            headers["X-API-Token"] = self._tokens[who.name]
        return await self.client.request(method, f"qpi/v1/{path}", headers=headers, **more)


def play(folder: Path, dialogue: Callable[[Street], Awaitable[Any]], **settings: Any) -> Any:
    async def run() -> Any:
        clock = FrozenClock()
        async with open_lab(folder, clock=clock, **settings) as lab:
            for name in ("q1", "q2"):
                await lab.qpus.create(ADMIN, QpuIn(name=name))
            people = [await lab.authenticator.admit(person) for person in (ANN, BOB, BOSS)]
            tokens = {p.name: (await lab.tokens.create(p, TokenIn())).token for p in people}
            async with serving(lab) as url, httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as client:
                return await dialogue(Street(lab, clock, client, tokens))

    return asyncio.run(run())


def hours(start: float, end: float, **more: Any) -> dict[str, Any]:
    times = {"start_at": START + timedelta(hours=start), "end_at": START + timedelta(hours=end)}
    return {"qpu": "q1", **{name: at.isoformat() for name, at in times.items()}, **more}


def test_every_route_does_its_work(tmp_path: Path) -> None:
    async def dialogue(ask: Street) -> None:
        made = await ask(ANN, "POST", "bookings", json=hours(1, 2, title="Rabi"))
        assert made.status_code == 201
        [booking] = made.json()["bookings"]
        path = f"bookings/{booking['id']}"
        assert (await ask(BOB, "GET", path)).json()["booked_by"] == "ann"
        clash = await ask(BOB, "POST", "bookings", json=hours(1.5, 2.5))
        assert (clash.status_code, clash.json()["error"]["kind"]) == (409, "BookingConflict")
        assert clash.json()["error"]["data"]["next_free"]["start_at"] == "2030-01-01T02:00:00+00:00"
        free = await ask(BOB, "GET", "bookings/next-free?qpu=q1&seconds=3600&after=2030-01-01T01:30:00Z")
        assert free.json()["start_at"] == "2030-01-01T02:00:00Z"
        moved = await ask(ANN, "PATCH", path, json={"end_at": "2030-01-01T03:00:00Z", "version": 1})
        assert (moved.status_code, moved.json()["version"]) == (200, 2)
        assert (await ask(ANN, "PATCH", path, json={"title": "x", "version": 1})).status_code == 409
        assert (await ask(BOB, "PATCH", path, json={"title": "x"})).status_code == 403
        assert (await ask(ANN, "POST", f"{path}/release")).json()["status"] == "released"
        story = (await ask(BOB, "GET", f"{path}/history")).json()["events"]
        assert [event["data"]["action"] for event in story] == ["created", "changed", "released"]

        series = await ask(ANN, "POST", "bookings", json=hours(9, 10, rrule="FREQ=DAILY;COUNT=4"))
        ids = [b["id"] for b in series.json()["bookings"]]
        gone = await ask(ANN, "DELETE", f"bookings/{ids[2]}?series=following")
        assert [b["id"] for b in gone.json()["bookings"]] == ids[2:]
        listed = await ask(ANN, "GET", "bookings?qpu=q1&mine=true&status=booked&start=2030-01-02T00:00:00Z")
        assert [b["id"] for b in listed.json()["bookings"]] == [ids[1]]

        rule = await ask(BOSS, "PUT", "booking-rules", json={"qpu": "q1", "rule": {"longest_s": 60}})
        assert rule.status_code == 200
        assert (await ask(ANN, "GET", "booking-rules")).json()["mine"]["q1"] == {"longest_s": 60.0}
        assert (await ask(ANN, "PUT", "booking-rules", json={"rule": {}})).status_code == 403
        left = await ask(BOSS, "DELETE", f"booking-rules/{rule.json()['id']}")
        assert left.json()["rules"] == []

    play(tmp_path, dialogue)


BAD_BODIES: list[tuple[dict[str, Any], str]] = [
    (hours(1, 2, mode="mine"), "mode"),
    (hours(1, 2, invited=[""]), "invited"),
    (hours(1, 2, colour="red"), "colour"),
    (hours(1, 2, title="x" * 201), "title"),
    (hours(1, 2, rrule="x" * 501), "rrule"),
    ({"qpu": "q1", "start_at": "soon", "end_at": "later"}, "start_at"),
    ({"qpu": "q1", "start_at": "2030-01-01T09:00:00Z"}, "end_at"),
    ({"qpu": "q1", "start_at": "2030-01-01T09:00:00", "end_at": "2030-01-01T10:00:00"}, "start_at"),
    ({"qpu": "q1", "start_at": "0001-01-01T00:00:00+14:00", "end_at": "2030-01-01T10:00:00Z"}, "start_at"),
    ({"qpu": "q1", "start_at": "2030-01-01T09:00:00Z", "end_at": "9999-12-31T23:59:59-14:00"}, "end_at"),
]
BAD_QUERIES = [
    "bookings?limit=1000000", "bookings?limit=0", "bookings?status=nice", "bookings?start=2030-01-01T00:00:00",
    "bookings?after=x", "bookings?filter=1", "bookings/next-free?qpu=q1", "bookings/next-free?qpu=q1&seconds=-1",
    "bookings/next-free?qpu=q1&seconds=nan", "bookings/next-free?qpu=q1&seconds=60&after=0001-01-01T00:00:00Z",
]  # fmt: skip
BAD_FILES = [
    (b"", 400, "bad_calendar"),
    (b"\xff\xfe", 400, "bad_calendar"),
    (b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", 400, "bad_calendar"),
    (b"x" * ((1 << 20) + 1), 413, "body_too_large"),
]


def test_what_is_bad_is_refused_and_named(tmp_path: Path) -> None:
    async def dialogue(ask: Street) -> None:
        for body, word in BAD_BODIES:
            answer = await ask(ANN, "POST", "bookings", json=body)
            assert (answer.status_code, word in answer.text) == (400, True), (body, answer.text)
        for path in BAD_QUERIES:
            answer = await ask(ANN, "GET", path)
            assert answer.status_code == 400, (path, answer.text)
        for content, status, code in BAD_FILES:
            answer = await ask(ANN, "POST", "bookings/import?qpu=q1", content=content)
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert (await ask(ANN, "GET", "bookings")).json()["bookings"] == []

    play(tmp_path, dialogue)


def test_a_calendar_program_reads_a_feed_until_it_is_revoked(tmp_path: Path) -> None:
    async def dialogue(ask: Street) -> None:
        book = ask.lab.bookings
        request = msgspec.convert(hours(1, 2, title="a, b; c"), BookingIn)
        [mine] = (await book.create(ANN, request)).bookings
        feed = (await ask(ANN, "POST", "feeds", json={})).json()
        secret = feed["url"].split("/feeds/")[1].removesuffix("/calendar.ics")
        path = f"feeds/{secret}/calendar.ics"
        assert len(secret) >= 43
        first = await ask(None, "GET", path)  # no credential but the address
        assert first.status_code == 200
        assert first.headers["Content-Type"] == "text/calendar; charset=utf-8"
        [event] = Calendar.from_ical(first.text).walk("VEVENT")
        assert (str(event["UID"]), event["SEQUENCE"], str(event["SUMMARY"])) == (
            f"{mine.id}@qpi-jupyter",
            1,
            "q1: a, b; c",
        )
        assert (event.start, event.end) == (mine.start_at, mine.end_at)

        again = await ask(None, "GET", path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        await book.change(ANN, mine.id, BookingChange(end_at=START + timedelta(hours=3)))
        moved = await ask(None, "GET", path, headers={"If-None-Match": first.headers["ETag"]})
        [event] = Calendar.from_ical(moved.text).walk("VEVENT")
        assert (moved.status_code, event["SEQUENCE"]) == (200, 2)
        await book.delete(ANN, mine.id)
        [event] = Calendar.from_ical((await ask(None, "GET", path)).text).walk("VEVENT")
        assert (str(event["STATUS"]), event["SEQUENCE"]) == ("CANCELLED", 3)
        ask.clock.advance(31 * 86_400)
        assert not Calendar.from_ical((await ask(None, "GET", path)).text).walk("VEVENT")

        [listed] = (await ask(ANN, "GET", "feeds")).json()["feeds"]
        assert (listed["url"], listed["used_at"] is not None) == (None, True)
        assert (await ask(BOB, "DELETE", f"feeds/{feed['id']}")).status_code == 404
        assert (await ask(ANN, "DELETE", f"feeds/{feed['id']}")).json()["feeds"] == []
        assert (await ask(None, "GET", path)).status_code == 404
        assert not [file for file in tmp_path.glob("lab.sqlite3*") if secret.encode() in file.read_bytes()]

    play(tmp_path, dialogue)


def test_a_persons_feed_has_what_they_are_invited_to_and_a_qpus_has_everything(tmp_path: Path) -> None:
    async def dialogue(ask: Street) -> list[list[str]]:
        await ask(ANN, "POST", "bookings", json=hours(1, 2, title="one", invited=["bob"]))
        await ask(ANN, "POST", "bookings", json=hours(2, 3, title="two"))
        await ask(ANN, "POST", "bookings", json=hours(2, 3, qpu="q2", title="three"))
        seen = []
        for feed in (FeedIn(), FeedIn(qpu="q1")):
            url = (await ask.lab.feeds.create(BOB, feed, "http://lab/")).url
            assert url is not None
            answer = await ask(None, "GET", url.removeprefix("http://lab/qpi/v1/"))
            seen.append(sorted(str(e["SUMMARY"]) for e in Calendar.from_ical(answer.text).walk("VEVENT")))
        return seen

    assert play(tmp_path / "a", dialogue) == [["q1: one"], ["q1: one", "q1: two"]]
    assert play(tmp_path / "b", dialogue, public_bookings=False) == [["q1: one"], ["q1: booked", "q1: one"]]


FILE = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Mozilla.org/NONSGML Mozilla Calendar V1.1//EN
BEGIN:VEVENT
UID:weekly
SUMMARY:Tune-up
DTSTART;TZID=Europe/Berlin:20300325T090000
DTEND;TZID=Europe/Berlin:20300325T100000
RRULE:FREQ=WEEKLY;COUNT=2
END:VEVENT
BEGIN:VEVENT
UID:clash
SUMMARY:Same time
DTSTART:20300325T083000Z
DTEND:20300325T093000Z
END:VEVENT
BEGIN:VEVENT
UID:past
DTSTART:20200325T083000Z
DTEND:20200325T093000Z
END:VEVENT
BEGIN:VEVENT
UID:holiday
DTSTART;VALUE=DATE:20300326
END:VEVENT
END:VCALENDAR
"""


def test_an_imported_file_books_what_it_can_and_says_what_it_cannot(tmp_path: Path) -> None:
    async def dialogue(ask: Street) -> None:
        send = {"content": FILE.encode(), "headers": {"Content-Type": "text/calendar"}}
        answer = await ask(ANN, "POST", "bookings/import?qpu=q1", **send)
        assert answer.status_code == 200
        starts = [(b["title"], b["start_at"], b["timezone"]) for b in answer.json()["bookings"]]
        assert starts == [
            ("Tune-up", "2030-03-25T08:00:00Z", "Europe/Berlin"),
            ("Tune-up", "2030-04-01T07:00:00Z", "Europe/Berlin"),  # nine o'clock in summer
        ]
        refused = [(r["uid"], r["code"]) for r in answer.json()["refused"]]
        assert refused == [("clash", "booking_conflict"), ("past", "in_the_past"), ("holiday", "event_whole_day")]
        again = await ask(ANN, "POST", "bookings/import?qpu=q1", content=FILE.encode())
        assert again.json()["bookings"] == []
        unknown = await ask(ANN, "POST", "bookings/import?qpu=q9", content=FILE.encode())
        assert unknown.status_code == 404

    play(tmp_path, dialogue)
