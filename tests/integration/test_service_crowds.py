"""What one person asks for is nobody else's burden: budgets for costly reads, and quick ones beside them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from qpi_jupyter.core.errors import Rejected, TooMany
from qpi_server.service import Lab
from qpi_server.web.identity import local_owner
from tests.faults.lab import ADMIN, ANN, BOB
from tests.support.crowds import BOSS, crowded, play
from tests.support.waiting import PATIENCE_S

COSTLY: list[tuple[str, Callable[[Lab], Awaitable[Any]]]] = [
    ("sorted", lambda lab: lab.jobs.list(BOSS, mine=False, sort="name")),
    ("oldest first", lambda lab: lab.jobs.list(BOSS, mine=False, descending=False)),
    ("by a part of the name", lambda lab: lab.jobs.list(BOSS, mine=False, name="zzz")),
    ("leafing", lambda lab: lab.jobs.list(BOSS, mine=False, leafing=True, limit=500)),
    ("the log", lambda lab: lab.audit.page(ADMIN, text="zzz")),
    ("statement", lambda lab: lab.accounts.statement(BOSS)),
    ("bookings", lambda lab: lab.bookings.list(ANN, mine=True)),
]


@pytest.mark.parametrize(("what", "ask"), COSTLY)
def test_a_read_of_many_rows_has_a_budget_and_says_what_to_narrow(
    tmp_path: Path, what: str, ask: Callable[[Lab], Awaitable[Any]]
) -> None:
    async def dialogue(lab: Lab) -> None:
        await crowded(lab, 100, qpu="q1")
        with pytest.raises(Rejected) as caught:
            await ask(lab)
        assert caught.value.code == "too_costly", what
        assert "stopped after" in caught.value.message
        assert len((await lab.jobs.list(BOSS, limit=50)).jobs) == 50  # an ordinary page has no such budget

    play(tmp_path, dialogue, search_budget_s=0.0)


def test_one_person_searches_once_at_a_time_and_others_beside_them(tmp_path: Path) -> None:
    async def dialogue(lab: Lab) -> None:
        searches = lab.context.db.searches
        async with searches.turn("ann"):
            waiting = [asyncio.ensure_future(lab.jobs.list(ANN, mine=False, sort="name")) for _ in range(16)]
            await asyncio.sleep(0)
            with pytest.raises(TooMany):
                await lab.jobs.list(ANN, mine=False, sort="name")
            assert (await lab.jobs.list(BOB, mine=True, sort="name")).jobs == []
            assert not any(search.done() for search in waiting)
            for search in waiting[1:]:
                search.cancel()
        assert (await waiting[0]).jobs == []
        many = await asyncio.gather(*(lab.jobs.list(local_owner(), mine=False, sort="name") for _ in range(40)))
        assert len(many) == 40  # the owner of a lab of one waits for nobody but themselves

    play(tmp_path, dialogue)


@pytest.mark.slow
def test_ordinary_pages_do_not_wait_for_filters_over_200_000_jobs(tmp_path: Path) -> None:
    async def dialogue(lab: Lab) -> None:
        await crowded(lab, 200_000, qpu="q1")
        asks = (("sort", "busy"), ("name", "zzz"), ("sort", "name"), ("sort", "owner"))
        costly = [
            asyncio.ensure_future(lab.jobs.list(who, mine=False, limit=500, **{name: value}))  # type: ignore[arg-type]
            for who in (BOSS, ADMIN)
            for name, value in asks
        ]
        await asyncio.sleep(0)
        for _ in range(5):
            assert len((await lab.jobs.list(ANN, limit=50)).jobs) == 1
        assert not all(search.done() for search in costly)
        assert [len(page.jobs) for page in await asyncio.gather(*costly)] == [500, 0, 500, 500] * 2

    play(tmp_path, dialogue)


IMPOSSIBLE = "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"


def hostile(rule: str) -> str:
    times = "DTSTART:20300101T090000Z\r\nDTEND:20300101T100000Z"
    event = f"BEGIN:VEVENT\r\nUID:x\r\n{times}\r\nRRULE:{rule}\r\nEND:VEVENT\r\n"
    return f"BEGIN:VCALENDAR\r\n{event * 500}END:VCALENDAR\r\n"


def test_a_calendar_file_of_impossible_rules_is_soon_over(tmp_path: Path) -> None:
    async def dialogue(lab: Lab) -> None:
        began = time.process_time()
        found = await lab.bookings.import_ics(ANN, hostile(IMPOSSIBLE), "q1")
        assert time.process_time() - began < 10.0  # some 2 s; it was a minute
        assert (found.bookings, {line["code"] for line in found.refused}) == ([], {"bad_rrule"})
        assert len(found.refused) == 500

    play(tmp_path, dialogue)


def test_the_reading_of_a_file_ends_with_its_sender(tmp_path: Path) -> None:
    async def dialogue(lab: Lab) -> None:
        mine = psutil.Process()
        before = set(mine.children())
        sent = asyncio.ensure_future(lab.bookings.import_ics(ANN, hostile(IMPOSSIBLE), "q1"))
        while not (children := set(mine.children()) - before):
            await asyncio.sleep(0)
        sent.cancel()
        await asyncio.gather(sent, return_exceptions=True)
        assert not any(child.is_running() for child in children)
        async with asyncio.timeout(PATIENCE_S):  # hers is the only place of a person
            assert (await lab.bookings.import_ics(ANN, hostile("FREQ=NEVER"), "q1")).bookings == []

    play(tmp_path, dialogue)
