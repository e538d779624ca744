"""A driver that says every field of every message with every value that tells something: nobody else notices."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import msgspec
import psutil
import pytest

from qpi_jupyter.wire import frames, results
from qpi_jupyter.wire.frames import Assignment
from qpi_jupyter.wire.peer import parse
from qpi_jupyter.wire.results import DIGEST_HEADER, ResultHeader
from tests.support.blobs import zipped
from tests.support.driver import link, register, result
from tests.support.frames import FRAMES, HEADER, PREPARED, whole
from tests.support.hostile import changed, checked_header, fields, telling
from tests.support.raw_link import ESTIMATE, RawLink, raw_link
from tests.support.servers import LabServer, lab_server

NUMBERS = itertools.count()
BLOB = zipped()
DATASET = {"sha256": hashlib.sha256(BLOB).hexdigest(), "bytes": len(BLOB)}
JOB = {"program": {"format": "openqasm3", "sources": ["OPENQASM 3.0;"]}, "options": {"shots": 10}}
GROWTH = 256 << 20
READ_BY_ALL = [
    "qpi/v1/jobs?limit=50", "qpi/v1/jobs?limit=50&sort=busy", "qpi/v1/qpus", "qpi/v1/events?after=0&limit=200",
    "qpi/v1/drivers", "qpi/v1/accounts", "qpi/api/jobs", "qpi/health",
]  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with lab_server(tmp_path_factory.mktemp("lab")) as found:
        yield found


@dataclass
class Attack:
    """A hostile driver of its own QPU, and somebody else's job beside it."""

    server: LabServer
    me: httpx.AsyncClient
    qpu: str
    victim: str = ""
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    job: Assignment | None = None
    _link: RawLink | None = None
    _token: str = ""

    async def link(self, *, greet: bool = True) -> RawLink:
        """The open link, or a new one where the lab has hung up."""
        if self._link is None or self._link.closed:
            await self.stack.aclose()
            self._token = self._token or await self.driver()
            self._link = await self.stack.enter_async_context(raw_link(self.server.url, self._token))
            if greet:
                await self._link.hello(msgspec.structs.replace(FRAMES[frames.HELLO], held=[]))  # type: ignore[arg-type]
        return self._link

    async def driver(self) -> str:
        """A new driver's token."""
        return await asyncio.to_thread(register, self.server.client(), self.qpu, f"{self.qpu}-{next(NUMBERS)}")

    async def another(self) -> RawLink:
        """The link of a new driver, which has said nothing."""
        self._token, self._link = await self.driver(), None
        return await self.link(greet=False)

    async def submit(self) -> httpx.Response:
        return await self.me.post("qpi/v1/jobs", json={**JOB, "qpu": self.qpu})

    async def held(self) -> Assignment:
        """A job that the hostile driver has, the last one if it still has it."""
        await self.link()
        if self.job is not None:
            now = (await self.me.get(f"qpi/v1/jobs/{self.job.job_id}")).json()
            if now["phase"] in ("assigned", "running") and now["attempt"] == self.job.attempt:
                return self.job
        assert (await self.submit()).status_code == 201
        job = None
        while job is None:  # without heartbeats the lab hangs up now and then
            job = await (await self.link()).claim()
        self.job = job
        return job

    async def put(self, header: str) -> httpx.Response:
        """Deliver a result with this header."""
        job = await self.held()
        raw = header.encode()
        return await self.me.put(
            f"qpi/v1/jobs/{job.job_id}/attempts/{job.attempt}/result",
            content=results.prefix(raw) + BLOB,
            headers={DIGEST_HEADER: results.digest(raw), "Authorization": f"Bearer {self._token}"},
        )

    async def check(self, *more: str) -> None:
        """Everybody else reads as before, and the other driver's job ends."""
        own = [f"qpi/v1/qpus/{self.qpu}", f"qpi/v1/qpus/{self.qpu}/channels", f"qpi/v1/qpus/{self.qpu}/drivers"]
        mine = [] if self.job is None else [f"qpi/v1/jobs/{self.job.job_id}", f"qpi/api/jobs/{self.job.job_id}"]
        for path in [*READ_BY_ALL, *own, *mine, f"qpi/v1/jobs/{self.victim}", *more]:
            answer = await self.me.get(path)
            assert answer.status_code == 200, (path, answer.text[:300])
            assert len(answer.content) < 8 << 20, path
            json.loads(answer.content, parse_constant=pytest.fail)


async def play(server: LabServer, subject: str) -> None:
    """One walk, beside a good driver whose job runs on while the other one attacks."""
    headers = {"Authorization": server.client().headers["Authorization"]}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=60, trust_env=False) as me:
        good = f"good-{next(NUMBERS)}"
        token = await asyncio.to_thread(register, server.client(), good, good)
        attack = Attack(server, me, f"hostile-{next(NUMBERS)}")
        async with link(server.url, token) as driver, attack.stack:
            await driver.hello(good)
            attack.victim = (await me.post("qpi/v1/jobs", json={**JOB, "qpu": good})).json()["id"]
            job = await driver.claim()
            before = psutil.Process(server.process.pid).memory_info().rss
            await WALKS.get(subject, walk_frames)(attack, subject)
            await attack.check()
            body, digest = result(zipped())
            stored = await me.put(
                f"qpi/v1/jobs/{job.job_id}/attempts/{job.attempt}/result", content=body,
                headers={DIGEST_HEADER: digest, "Authorization": f"Bearer {token}"},
            )  # fmt: skip
            assert stored.status_code == 201, stored.text
            assert (await me.get(f"qpi/v1/jobs/{attack.victim}")).json()["counts"] == [{"00": 4, "11": 6}]
            assert psutil.Process(server.process.pid).memory_info().rss - before < GROWTH


def reader(kind: type[frames.Frame]) -> Callable[[bytes], object]:
    """How the lab reads such a message."""
    return lambda raw: parse(msgspec.Raw(raw), kind)


async def walk_hello(attack: Attack, subject: str) -> None:
    for path, info in fields(frames.Hello):
        hostile = await attack.another()
        for value, text in telling(info, partial(changed, whole(FRAMES[subject]), path), reader(frames.Hello)):
            answer = await hostile.ask(subject, text)
            if "data" in answer or hostile.closed:
                hostile = await attack.another() if hostile.closed else hostile
                await hostile.send("no frame: hang up")
                hostile = await attack.another()
            else:
                assert answer["error"]["code"] != "faulted", (path, value, answer)
        await attack.check()


async def walk_frames(attack: Attack, subject: str) -> None:
    """What concerns an attempt is said of one that the driver has; a request is answered, a publication heard."""
    parked: list[asyncio.Task[dict[str, Any]]] = []
    kind = type(FRAMES[subject])
    for path, info in fields(kind):
        for value, _ in telling(info, partial(changed, whole(FRAMES[subject]), path), reader(kind)):
            job, hostile = await attack.held(), await attack.link()
            right = {"epoch": hostile.epoch, "job_id": job.job_id, "attempt": job.attempt}
            message = {name: right.get(name, found) for name, found in whole(FRAMES[subject]).items()}
            text = changed(message, path, value)
            if subject in (frames.REPORT, frames.STARTED, frames.ROWS):
                answer = await hostile.ask(subject, text)
                assert answer.get("error", {}).get("code") != "faulted", (path, value, answer)
            elif subject == frames.CLAIM:
                parked.append(asyncio.create_task(hostile.ask(subject, text)))
            if subject not in (frames.REPORT, frames.ROWS):
                await hostile.tell(subject, text)
        await attack.check()
    for task in parked:
        task.cancel()
    await asyncio.gather(*parked, return_exceptions=True)


async def walk_prepared(attack: Attack, subject: str) -> None:
    """A check that says nonsense is the bench's fault: the job waits, or is refused in words."""
    hostile = await attack.link()
    for path, info in fields(frames.Prepared):
        base = {path[0]: getattr(PREPARED, path[0])}
        for value, text in telling(info, partial(changed, base, path), reader(frames.Prepared)):
            hostile.prepared = text
            answer = await attack.submit()
            assert answer.status_code in (201, 400, 413), (path, value, answer.text[:300])
            hostile.prepared = ESTIMATE
            if answer.status_code == 201:
                await attack.me.post(f"qpi/v1/jobs/{answer.json()['id']}/cancel")
        await attack.check()


async def walk_results(attack: Attack, subject: str) -> None:
    message = {"v": 1, **msgspec.to_builtins(HEADER), "dataset": DATASET}
    for path, info in [*fields(ResultHeader), *fields(results.Dataset, ("dataset",))]:
        for value, text in telling(info, partial(changed, message, path), checked_header):
            answer = await attack.put(text)
            assert answer.status_code in (201, 422), (path, value, answer.text[:300])
            assert attack.job is not None
            now = (await attack.me.get(f"qpi/v1/jobs/{attack.job.job_id}")).json()
            if answer.status_code == 201:
                assert now["status"] == "completed"
                assert now["busy_s"] < 60
                shown = await attack.me.get(f"qpi/v1/jobs/{attack.job.job_id}/result")
                assert shown.status_code == 200, (path, value, shown.text[:300])
                assert len(shown.content) < 4 << 20
        await attack.check()


WALKS: dict[str, Any] = {frames.HELLO: walk_hello, frames.PREPARE: walk_prepared, "result": walk_results}
SUBJECTS = [*FRAMES, frames.PREPARE, "result"]


@pytest.mark.slow
@pytest.mark.parametrize("subject", SUBJECTS)
def test_whatever_a_driver_says_nobody_else_notices(server: LabServer, subject: str) -> None:
    # A thread of its own: the browser's tests may have left an event loop in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(play(server, subject))).result()
