"""Jobs and sessions of IBM's client over HTTP, where a driver is slow, a time is over or a connection breaks off."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from qiskit import QuantumCircuit

from qpi_jupyter.core import PRIMITIVE_RESULT, ProgramError
from qpi_jupyter.wire.frames import Prepare, Prepared
from qpi_jupyter.wire.rest import TokenIn
from qpi_server.service import Lab
from tests.faults.lab import ANN, BOB, QUICK, SIMULATOR, FrozenClock, ScriptedDriver, settled, small_lab
from tests.support.blobs import zipped
from tests.support.runtime import hang_up, service_of
from tests.support.waiting import until
from tests.support.web import serving

PUBS = replace(SIMULATOR, formats=("openqasm3", "qpy", "runtime-sampler", "runtime-estimator"))
JOB = {"program_id": "sampler", "backend": "q1", "params": {"pubs": [["OPENQASM 3.0;"]], "version": 2}}
LATE = ProgramError("The check took longer than 10 s.", code="check_timeout")
LARGE = b'"' + b"x" * (24 << 20) + b'"'
"""More than the buffers of a connection hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """A lab with q1 behind IBM's surface."""

    lab: Lab
    driver: ScriptedDriver
    clock: FrozenClock
    url: str
    tokens: dict[str, str]
    client: httpx.AsyncClient

    async def __call__(self, method: str, path: str, body: Any = None, who: str = "ann") -> httpx.Response:
        headers = {"Authorization": f"apikey {self.tokens[who]}"}
        return await self.client.request(method, f"qpi/experimental/v1/{path}", json=body, headers=headers)


def play(folder: Path, dialogue: Callable[[Surface], Awaitable[None]], manifest: Any = PUBS, **settings: Any) -> None:
    async def run() -> None:
        clock = FrozenClock()
        settings.setdefault("lease_s", 1e6)
        async with small_lab(folder, clock=clock, driver={"manifest": manifest}, **settings) as (lab, driver):
            people = [await lab.authenticator.admit(person) for person in (ANN, BOB)]
            tokens = {one.name: (await lab.tokens.create(one, TokenIn())).token for one in people}
            await driver.connect()
            async with serving(lab) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
                await dialogue(Surface(lab=lab, driver=driver, clock=clock, url=url, tokens=tokens, client=client))

    asyncio.run(run())


@pytest.fixture
def connections() -> Iterator[None]:
    """Those of IBM's client are closed at the end."""
    yield
    hang_up()


@pytest.mark.usefixtures("connections")
@pytest.mark.filterwarnings("ignore:The SamplerV2 class is deprecated:DeprecationWarning")
def test_a_check_that_took_too_long_is_asked_for_again_by_ibms_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def submit(url: str, token: str) -> str:
        from qiskit_ibm_runtime import SamplerV2

        bell = QuantumCircuit(2)
        bell.h(0)
        bell.cx(0, 1)
        bell.measure_all()
        service = service_of(cast(Any, SimpleNamespace(url=url)), token, monkeypatch)
        return str(SamplerV2(mode=service.backend("q1")).run([bell]).job_id())

    async def dialogue(ask: Surface) -> None:
        answers = [Prepared(error=LATE.to_dict())] * 2

        def answer(_prepare: Prepare) -> Prepared:
            return answers.pop() if answers else Prepared(estimate=QUICK)

        ask.driver.answer = answer
        refused = await ask("POST", "jobs", JOB)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "check_timeout")
        assert "q1 was too slow to check the job. Try again" in refused.json()["errors"][0]["message"]
        assert (await ask("GET", "jobs")).json()["count"] == 0
        job_id = await asyncio.to_thread(submit, ask.url, ask.tokens["ann"])
        assert not answers, "its first try was refused, too"
        assert [job["id"] for job in (await ask("GET", "jobs")).json()["jobs"]] == [job_id]

    play(tmp_path, dialogue)


def test_a_session_of_somebody_else_is_not_there(tmp_path: Path) -> None:
    async def dialogue(ask: Surface) -> None:
        session = (await ask("POST", "sessions", {"backend": "q1", "mode": "batch"})).json()["id"]
        for method, path, body in (
            ("GET", f"sessions/{session}", None),
            ("PATCH", f"sessions/{session}", {"accepting_jobs": False}),
            ("DELETE", f"sessions/{session}/close", None),
        ):
            refused = await ask(method, path, body, who="bob")
            assert (refused.status_code, refused.json()["error"]["code"]) == (404, "unknown_session")
        refused = await ask("POST", "jobs", {**JOB, "session_id": session}, who="bob")
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "unknown_session")
        assert (await ask("GET", f"sessions/{session}")).json()["state"] == "active"
        mine = await ask("POST", "jobs", {**JOB, "session_id": session})
        assert mine.status_code == 200
        theirs = (await ask("GET", f"jobs/{mine.json()['id']}/results", who="bob")).json()["error"]
        assert theirs["message"] == "Job not found"

    play(tmp_path, dialogue)


def test_who_asks_again_for_a_session_whose_answer_was_lost_gets_it(tmp_path: Path) -> None:
    """The server died after it had opened the session, or the way to it broke: IBM's client sends the same again."""
    asked = {"backend": "q1", "mode": "dedicated", "max_ttl": 60}

    async def dialogue(ask: Surface) -> None:
        first = (await ask("POST", "sessions", asked)).json()
        again = await ask("POST", "sessions", asked)
        assert (again.status_code, again.json()["id"]) == (201, first["id"])
        assert (await ask("POST", "sessions", asked, who="bob")).status_code == 409
        assert (await ask("POST", "sessions", {**asked, "max_ttl": 61})).status_code == 409
        assert (await ask("POST", "jobs", {**JOB, "session_id": first["id"]})).status_code == 200
        in_use = await ask("POST", "sessions", asked)
        assert (in_use.status_code, in_use.json()["error"]["code"]) == (409, "session_open")

    play(tmp_path, dialogue)


@pytest.mark.parametrize("backend", ["q1", "fake_manila@ideal"])
def test_a_session_whose_time_is_over_takes_no_job(tmp_path: Path, backend: str) -> None:
    manifest = PUBS if backend == "q1" else replace(PUBS, executor="fake_backends")

    async def dialogue(ask: Surface) -> None:
        asked = {"backend": backend, "mode": "dedicated", "max_ttl": 60}
        session = (await ask("POST", "sessions", asked)).json()["id"]
        assert (await ask("POST", "jobs", {**JOB, "backend": backend, "session_id": session})).status_code == 200
        ask.clock.advance(60)
        await settled(ask.lab)
        told = (await ask("GET", f"sessions/{session}")).json()
        assert (told["state"], told["accepting_jobs"], told["max_ttl"]) == ("closed", False, 60)
        assert told["closed_at"] == "2030-01-01T00:01:00.000000Z"
        refused = await ask("POST", "jobs", {**JOB, "backend": backend, "session_id": session})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "session_over")
        assert "Open a new one." in refused.json()["error"]["message"]

    play(tmp_path, dialogue, manifest)


def test_a_lab_may_list_some_of_the_fake_backends_and_runs_all(tmp_path: Path) -> None:
    async def dialogue(ask: Surface) -> None:
        listed = [one["name"] for one in (await ask("GET", "backends")).json()["devices"]]
        assert listed == ["fake_fez@ideal", "fake_manila@aer", "fake_manila@ideal"]
        looked_up = (await ask("GET", "backends?include_mocks=True")).json()["devices"]
        assert {"fake_lima@aer", "lab_statevector"} <= {one["name"] for one in looked_up}
        assert (await ask("POST", "jobs", {**JOB, "backend": "fake_lima@aer"})).status_code == 200

    manifest = replace(PUBS, executor="fake_backends")
    play(tmp_path, dialogue, manifest, ibm_backends=("fake_manila", "fake_fez@ideal"))


def test_a_private_result_that_breaks_off_can_be_had_again(tmp_path: Path) -> None:
    async def broken_off(ask: Surface, job_id: str) -> None:
        address = httpx.URL(ask.url)
        plug = socket.socket()
        plug.setblocking(False)
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 10)
        await asyncio.get_running_loop().sock_connect(plug, (address.host, address.port))
        reader, writer = await asyncio.open_connection(sock=plug)
        request = f"GET /qpi/experimental/v1/jobs/{job_id}/results HTTP/1.1\r\nHost: lab\r\nAuthorization: apikey "
        writer.write(f"{request}{ask.tokens['ann']}\r\n\r\n".encode())
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()
        await settled(ask.lab)

    async def dialogue(ask: Surface) -> None:
        job_id = (await ask("POST", "jobs", {**JOB, "private": True})).json()["id"]
        job = await ask.driver.claim()
        await ask.driver.started(job)
        await ask.driver.deliver(job, blob=zipped(more={PRIMITIVE_RESULT: LARGE}))
        assert (await ask("GET", f"jobs/{job_id}")).json()["status"] == "Completed"
        await broken_off(ask, job_id)
        ask.client.headers["Connection"] = "close"  # a whole answer is one, however its connection ends
        assert len(json.loads((await ask("GET", f"jobs/{job_id}/results")).content)) == len(LARGE) - 2

        async def gone() -> bool:
            return (await ask("GET", f"jobs/{job_id}/results")).status_code == 404

        await until(gone)

    play(tmp_path, dialogue)
