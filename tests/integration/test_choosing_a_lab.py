"""A server that turns to a lab elsewhere while it runs, and back to its own."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from qpi_jupyter.core import Conflict
from qpi_jupyter.wire.jobs import JobModel
from qpi_jupyter.wire.rest import Health, QpuIn
from qpi_server.host.forward import Upstream
from qpi_server.host.owner import Ownership
from qpi_server.host.owner_files import OwnerRecord
from qpi_server.service import Lab
from tests.faults.lab import ADMIN, BELL
from tests.integration.test_web_streams import Bus, heard, online, open_lab, relayed
from tests.support.storage import opened, owning
from tests.support.waiting import until
from tests.support.web import SECRET, serving

pytestmark = pytest.mark.slow

AHEAD = 300
BELL_JOB = {"program": {"format": "openqasm2", "sources": [BELL]}, "qpu": "chip"}


@contextlib.asynccontextmanager
async def lab_with_chip(folder: Path) -> AsyncIterator[Lab]:
    async with open_lab(folder) as lab:
        await lab.qpus.create(ADMIN, QpuIn(name="chip"))
        yield lab
        lab.events.close()


async def every_job(lab: Lab) -> list[JobModel]:
    found, after = [], None
    while True:
        page = await lab.jobs.list(ADMIN, mine=False, limit=200, after=after)
        found += page.jobs
        if (after := page.next) is None:
            return found


def test_requests_and_events_follow_the_choice(tmp_path: Path) -> None:
    async def dialogue(ownership: Ownership) -> None:
        bus = Bus()
        own = await ownership.target()
        assert isinstance(own, Lab)
        async with open_lab(tmp_path / "far") as far, serving(far) as url, relayed(bus, ownership):
            for _ in range(AHEAD):  # the far lab has counted further than our own
                await far.context.db.write(online)
            await heard(bus, own, 1)
            begun = bus.events[-1]["seq"]

            upstream = Upstream.to(url, SECRET)
            await ownership.choose(upstream)
            assert await ownership.target() is upstream
            assert (await upstream.get("qpi/health", Health)).status == "up"
            await heard(bus, far, len(bus.events) + 1)
            assert bus.events[-1]["seq"] > AHEAD > begun

            await ownership.choose(None)
            again = await ownership.target()
            assert isinstance(again, Lab)
            assert again is not own
            await heard(bus, again, len(bus.events) + 1)
            assert bus.events[-1]["seq"] < AHEAD
            assert not upstream.following
            far.events.close()

    owning(tmp_path / "own", dialogue)


def test_a_server_without_a_lab_of_its_own_only_forwards() -> None:
    async def nothing(_lab: Any = None) -> Any:
        raise AssertionError

    async def dialogue() -> None:
        record = OwnerRecord.here(url="http://127.0.0.1:1/", secret="s", version="0", ca_file=None, own_ca=False)
        first, second = (Upstream.to(f"http://127.0.0.1:{port}/", "t") for port in (1, 2))
        ownership = Ownership(
            backend=None, upstream=first, record=record, open_lab=nothing, started=nothing, stopping=nothing
        )
        await ownership.start()
        await ownership.choose(second)
        assert await ownership.target() is second
        with pytest.raises(Conflict, match="no lab of its own"):
            await ownership.choose(None)
        assert await ownership.target() is second
        await ownership.stop()

    asyncio.run(dialogue())


def test_a_submit_under_way_is_answered_by_the_lab_that_it_began_with(tmp_path: Path) -> None:
    async def dialogue(ownership: Ownership) -> None:
        answered: dict[str, int] = {}
        switching = True

        async def submits(client: httpx.AsyncClient, who: int) -> None:
            for turn in itertools.count():
                if not switching:
                    return
                name = f"{who}-{turn}"
                answer = await client.post("qpi/v1/jobs", json={**BELL_JOB, "name": name})
                answered[name] = answer.status_code

        async with contextlib.AsyncExitStack() as stack:
            far = [await stack.enter_async_context(lab_with_chip(tmp_path / f"far-{n}")) for n in (1, 2)]
            urls = [await stack.enter_async_context(serving(lab)) for lab in far]
            own = await opened(ownership)
            await own.qpus.create(ADMIN, QpuIn(name="chip"))
            here = await stack.enter_async_context(serving(ownership))
            headers = {"Authorization": f"Bearer {SECRET}"}
            client = await stack.enter_async_context(
                httpx.AsyncClient(base_url=here, headers=headers, trust_env=False, verify=False)
            )
            asking = asyncio.gather(*(submits(client, who) for who in range(6)))
            for turn in range(15):
                enough = len(answered) + 10
                await until(lambda enough=enough: len(answered) >= enough)
                url = (None, *urls)[(turn + 1) % 3]
                await ownership.choose(Upstream.to(url, SECRET) if url is not None else None)
            switching = False
            await asking
            await ownership.choose(None)
            labs = [await opened(ownership), *far]
            stored = [job.name for lab in labs for job in await every_job(lab)]
            assert set(answered.values()) == {201}
            assert sorted(stored) == sorted(answered)

    owning(tmp_path / "own", dialogue)


@pytest.mark.parametrize(
    ("url", "why"),
    [("http://lab.example/", "plain http to another machine"), ("lab.example", "not the address of a lab")],
)
def test_a_token_is_not_sent_to_just_anywhere(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Upstream.to(url, "t")


def test_plain_http_to_another_machine_is_for_who_says_so() -> None:
    assert Upstream.to("http://lab.example/base", "t", insecure=True).url == "http://lab.example/base/"
