"""Budgets over HTTP: who leaves ends their work, and who asks too often waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from qpi_jupyter.wire.rest import QpuIn, TokenIn
from qpi_server.service import Lab
from qpi_server.service.base import Rates, Turns
from tests.faults.lab import ADMIN, ANN, FrozenClock, bell, open_lab
from tests.support.web import serving


def play(folder: Path, dialogue: Callable[[Lab, str, str], Awaitable[Any]]) -> None:
    async def run() -> None:
        async with open_lab(folder, clock=FrozenClock()) as lab:
            await lab.qpus.create(ADMIN, QpuIn(name="q1"))
            ann = await lab.authenticator.admit(ANN)
            token = (await lab.tokens.create(ann, TokenIn())).token
            async with serving(lab) as url:
                await dialogue(lab, url, token)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("method", "path", "service", "name"),
    [
        ("GET", "jobs?sort=name", "jobs", "list"),
        ("GET", "jobs/job-1/program/text", "transcripts", "text"),
        ("GET", "statements", "accounts", "statement"),
        ("POST", "bookings/import?qpu=q1", "bookings", "import_ics"),
    ],
)
def test_the_work_ends_when_its_asker_hangs_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, path: str, service: str, name: str
) -> None:
    async def dialogue(lab: Lab, url: str, token: str) -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def endless(*_args: Any, **_kwargs: Any) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        monkeypatch.setattr(getattr(lab, service), name, endless)
        place = urlsplit(url)
        _, writer = await asyncio.open_connection(place.hostname, place.port)
        head = (
            f"{method} /qpi/v1/{path} HTTP/1.1\r\nHost: {place.netloc}\r\nX-API-Token: {token}\r\nContent-Length: 1\r\n"
        )
        writer.write(f"{head}\r\n ".encode())
        await begun.wait()
        writer.close()
        await writer.wait_closed()
        async with asyncio.timeout(30):
            await ended.wait()

    play(tmp_path, dialogue)


class Counted(Turns):
    """Turns of which one can tell how many run."""

    running = 0

    @asynccontextmanager
    async def turn(self, who: str, *, free: bool = False) -> AsyncIterator[None]:
        async with super().turn(who, free=free):
            self.running += 1
            try:
                yield
            finally:
                self.running -= 1


def test_who_holds_too_many_requests_open_is_told_and_others_are_answered(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, url: str, token: str) -> None:
        lab.waits = waits = Counted("waiting for news", places=100, each=2, waiting=0)
        job, _ = await lab.jobs.submit(ANN, bell("q1"))
        owner = (await lab.tokens.create(await lab.authenticator.admit(ADMIN), TokenIn())).token
        async with httpx.AsyncClient(
            base_url=url, trust_env=False, verify=False, headers={"X-API-Token": token}
        ) as client:
            waiting = [asyncio.ensure_future(client.get(f"qpi/v1/jobs/{job.id}?wait_s=60")) for _ in range(2)]
            while waits.running != 2:
                await asyncio.sleep(0)
            refused = await client.get(f"qpi/v1/jobs/{job.id}?wait_s=60")
            assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_at_once")
            assert int(refused.headers["Retry-After"]) >= 1
            for _ in range(3):
                answer = await client.get(f"qpi/v1/jobs/{job.id}", headers={"X-API-Token": owner})
                assert answer.status_code == 200
            await lab.jobs.cancel(ANN, job.id)
            assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {200}

    play(tmp_path, dialogue)


def test_an_address_that_asks_too_often_without_a_sign_in_waits(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, url: str, token: str) -> None:
        lab.strangers = Rates(lab.context.clock, per_s=1.0, burst=3)
        async with httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as client:
            codes = [(await client.get(path)).status_code for path in ("qpi/health", "qpi/api/theme/active") * 2]
            assert codes == [200, 200, 200, 429]
            feed = await client.get("qpi/v1/feeds/guess/calendar.ics")
            assert (feed.status_code, feed.json()["error"]["code"]) == (429, "too_many_requests")
            assert (await client.get("qpi/v1/me", headers={"X-API-Token": token})).status_code == 200

    play(tmp_path, dialogue)
