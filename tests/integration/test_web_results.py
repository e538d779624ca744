"""Results in and out of a real server: links, uploads that go wrong, ranges, and the same through a forwarder."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import random
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from qpi_jupyter.core.errors import QpiError, Unavailable
from qpi_jupyter.wire import frames
from qpi_jupyter.wire.results import DIGEST_HEADER
from tests.support.blobs import zip_blocks, zipped
from tests.support.driver import ScriptedDriver, link, register, result, result_head
from tests.support.servers import LabServer, lab_server

pytestmark = pytest.mark.slow

HANDSHAKE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip
NUMBERS = itertools.count()
JOB = {"program": {"format": "openqasm3", "sources": ["OPENQASM 3.0;"]}, "options": {"shots": 10}}


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with lab_server(tmp_path_factory.mktemp("owner")) as server:
        yield server


@pytest.fixture(scope="module")
def forwarder(tmp_path_factory: pytest.TempPathFactory, owner: LabServer) -> Iterator[LabServer]:
    with lab_server(tmp_path_factory.mktemp("forwarder"), lab_dir=owner.lab_dir) as server:
        yield server


@pytest.fixture(scope="module", params=["owner", "forwarder"])
def server(request: pytest.FixtureRequest) -> LabServer:
    """The same tests, in front of the lab and in front of a server that forwards to it."""
    found: LabServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def bench(server: LabServer) -> Bench:
    return Bench(server, f"q{next(NUMBERS)}")


class Bench:
    """A QPU of one test, its driver and a job that the driver holds."""

    def __init__(self, server: LabServer, qpu: str) -> None:
        self.server, self.qpu = server, qpu
        self.me = server.client()
        self.token = register(self.me, qpu, name=qpu)
        self.driver = server.client(self.token)

    def run(self, dialogue: Callable[[frames.Assignment, ScriptedDriver], Awaitable[Any]]) -> str:
        """Submit a job, let ``dialogue`` be its driver; the job's id."""

        async def play() -> str:
            async with link(self.server.url, self.token) as driver:
                await driver.hello(self.qpu)
                claim = asyncio.create_task(driver.claim())
                answer = await asyncio.to_thread(self.me.post, "qpi/v1/jobs", json={**JOB, "qpu": self.qpu})
                assert answer.status_code == 201, answer.text
                await dialogue(await claim, driver)
                return str(answer.json()["id"])

        return asyncio.run(play())

    def put(self, job: frames.Assignment, content: Any, digest: str, **more: Any) -> httpx.Response:
        path = f"qpi/v1/jobs/{job.job_id}/attempts/{more.pop('attempt', job.attempt)}/result"
        return self.driver.put(path, content=content, headers={DIGEST_HEADER: digest, **more})


def deliver(bench: Bench, data: bytes) -> str:
    async def dialogue(job: frames.Assignment, _driver: ScriptedDriver) -> None:
        body, digest = result(data)
        stored = await asyncio.to_thread(bench.put, job, body, digest)
        assert (stored.status_code, stored.json()["accepted"]) == (201, True), stored.text

    return bench.run(dialogue)


def test_a_job_travels_to_its_driver_and_back(bench: Bench) -> None:
    data = zipped(os.urandom(100_000))
    job_id = deliver(bench, data)
    job = bench.me.get(f"qpi/v1/jobs/{job_id}?wait_s=10").json()
    assert job["status"] == "completed"
    assert job["counts"] == [{"00": 4, "11": 6}]
    answer = bench.me.get(f"qpi/v1/jobs/{job_id}/dataset")
    assert answer.content == data
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["ETag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    assert bench.me.get(f"qpi/v1/jobs/{job_id}/result").json()["results"][0]["data"]["counts"] == {"0x0": 4, "0x3": 6}


def test_parts_of_a_dataset(bench: Bench) -> None:
    data = zipped(os.urandom(3_000_000))
    address = f"qpi/v1/jobs/{deliver(bench, data)}/dataset"
    etag = bench.me.get(address).headers["ETag"]
    rng = random.Random(1)
    for _ in range(10):
        start = rng.randrange(len(data))
        stop = rng.randrange(start, len(data))
        part = bench.me.get(address, headers={"Range": f"bytes={start}-{stop}"})
        assert part.status_code == 206
        assert part.content == data[start : stop + 1]
        assert part.headers["Content-Range"] == f"bytes {start}-{stop}/{len(data)}"
    assert bench.me.get(address, headers={"Range": f"bytes={len(data)}-"}).status_code == 416
    unchanged = bench.me.get(address, headers={"If-None-Match": etag})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    outdated = bench.me.get(address, headers={"Range": "bytes=0-9", "If-Range": '"another"'})
    assert (outdated.status_code, outdated.content) == (200, data)


def test_uploads_that_go_wrong_are_refused_and_the_right_one_still_counts(bench: Bench) -> None:
    data = zipped(os.urandom(300_000))
    body, digest = result(data)
    damaged = body[:-1] + bytes([body[-1] ^ 1])

    async def dialogue(job: frames.Assignment, _driver: ScriptedDriver) -> None:
        def put(content: Any, digest: str, **more: Any) -> tuple[int, str]:
            answer = bench.put(job, content, digest, **more)
            return answer.status_code, answer.json().get("error", {}).get("code", "")

        def tries() -> None:
            assert put(body, "0" * 64) == (422, "bad_checksum")
            assert put(damaged, digest) == (422, "bad_checksum")
            assert put(body[:-5], digest) == (422, "truncated")
            assert put(body[:10], digest) == (422, "truncated")
            assert put(body + b"more", digest)[0] == 422
            assert put(b"", digest)[0] == 422
            assert put(b"GIF89a" * 100, digest) == (422, "bad_result")
            late = bench.put(job, body, digest, attempt=job.attempt + 1)
            assert (late.status_code, late.json().get("accepted")) in [(200, False), (409, None), (404, None)], (
                late.text
            )
            assert put((block for block in [body[:1000], body[1000:]]), digest) == (201, "")
            repeated = bench.put(job, body, digest)
            assert (repeated.status_code, repeated.json()["accepted"]) == (200, True)

        await asyncio.to_thread(tries)

    job_id = bench.run(dialogue)
    assert bench.me.get(f"qpi/v1/jobs/{job_id}/dataset").content == data


def test_an_upload_that_breaks_off_leaves_nothing(bench: Bench, owner: LabServer) -> None:
    data = zipped(os.urandom(2_000_000))
    body, digest = result(data)

    async def dialogue(job: frames.Assignment, _driver: ScriptedDriver) -> None:
        def broken() -> Iterator[bytes]:
            yield body[:1_500_000]
            raise ConnectionAbortedError

        with pytest.raises(ConnectionAbortedError):
            await asyncio.to_thread(bench.put, job, broken(), digest, **{"Content-Length": str(len(body))})
        stored = await asyncio.to_thread(bench.put, job, body, digest)
        assert stored.status_code == 201

    bench.run(dialogue)
    blobs = [path for path in (owner.lab_dir / "blobs").rglob("*") if path.is_file()]
    assert all(path.stat().st_size != 1_500_000 for path in blobs)
    assert hashlib.sha256(data).hexdigest() in {path.parent.name + path.name for path in blobs} | {
        p.name for p in blobs
    }


def test_another_qpus_driver_delivers_nothing_here(bench: Bench) -> None:
    stranger = bench.server.client(register(bench.me, bench.qpu + "-other", name=bench.qpu + "-other"))
    body, digest = result(zipped(b"x"))

    async def dialogue(job: frames.Assignment, _driver: ScriptedDriver) -> None:
        path = f"qpi/v1/jobs/{job.job_id}/attempts/{job.attempt}/result"
        answer = await asyncio.to_thread(stranger.put, path, content=body, headers={DIGEST_HEADER: digest})
        assert answer.status_code == 403, answer.text
        unknown = await asyncio.to_thread(
            stranger.put, "qpi/v1/jobs/nope/attempts/1/result", content=body, headers={DIGEST_HEADER: digest}
        )
        assert unknown.status_code == 404, unknown.text

    bench.run(dialogue)


def test_a_cancel_reaches_the_driver(bench: Bench) -> None:
    async def dialogue(job: frames.Assignment, driver: ScriptedDriver) -> None:
        answer = await asyncio.to_thread(bench.me.post, f"qpi/v1/jobs/{job.job_id}/cancel")
        assert answer.json()["phase"] == "cancelling"
        abort = await asyncio.wait_for(driver.aborted.get(), 10)
        assert (abort.job_id, abort.attempt) == (job.job_id, job.attempt)

    bench.run(dialogue)


def test_a_link_needs_a_drivers_token(server: LabServer) -> None:
    user = server.client().post("qpi/v1/tokens", json={}).json()["token"]
    for token, status in [("qpi_nonsense", 401), (user, 403)]:
        assert server.client(token).get("qpi/v1/link", headers=HANDSHAKE).status_code == status


def test_a_bad_frame_ends_the_link_and_not_the_server(bench: Bench) -> None:
    async def dialogue(_job: frames.Assignment, driver: ScriptedDriver) -> None:
        await driver.send("this is no frame")
        with pytest.raises(Unavailable):
            await driver.claim()

    bench.run(dialogue)
    assert bench.me.get("qpi/health").status_code == 200


def test_an_unknown_subject_is_an_error_of_the_asker(bench: Bench) -> None:
    async def dialogue(_job: frames.Assignment, driver: ScriptedDriver) -> None:
        with pytest.raises(QpiError, match=r"lab\.nonsense"):
            await driver.peer.request("lab.nonsense", frames.Claim(epoch=1), frames.Assignment, timeout=10)

    bench.run(dialogue)


def test_a_forwarder_uses_its_connections_again(forwarder: LabServer) -> None:
    me, process = forwarder.client(), psutil.Process(forwarder.process.pid)

    def ports() -> set[int]:
        return {c.laddr.port for c in process.net_connections("tcp") if c.status == psutil.CONN_ESTABLISHED}

    assert me.get("qpi/v1/qpus").status_code == 200
    before = ports()
    for _ in range(20):
        assert me.get("qpi/v1/qpus").status_code == 200
    assert len(ports() - before) <= 1


def test_many_small_requests_with_a_body_all_get_their_answer(server: LabServer) -> None:
    """The answer may be there before the forwarder has seen the end of the request."""
    me = server.client()
    for _ in range(150):
        assert me.post("qpi/v1/tokens", json={"name": "x" * 50}).status_code == 201


def test_a_large_result_passes_in_constant_memory(bench: Bench, owner: LabServer, tmp_path: Path) -> None:
    with (tmp_path / "blob").open("w+b") as file:
        zip_blocks(file, os.urandom(1 << 20), 256)
        size = file.tell()
        file.seek(0)
        blob = hashlib.file_digest(file, "sha256")
    head, digest = result_head(blob.hexdigest(), size)
    processes = {psutil.Process(owner.process.pid), psutil.Process(bench.server.process.pid)}
    before = {process: process.memory_info().rss for process in processes}

    def stream() -> Iterator[bytes]:
        yield head
        with (tmp_path / "blob").open("rb") as file:
            while block := file.read(1 << 20):
                yield block

    async def dialogue(job: frames.Assignment, _driver: ScriptedDriver) -> None:
        length = {"Content-Length": str(len(head) + size)}
        stored = await asyncio.to_thread(bench.put, job, stream(), digest, **length)
        assert stored.status_code == 201, stored.text

    job_id = bench.run(dialogue)
    came = hashlib.sha256()
    with bench.me.stream("GET", f"qpi/v1/jobs/{job_id}/dataset") as answer:
        for chunk in answer.iter_raw():
            came.update(chunk)
    assert came.hexdigest() == blob.hexdigest()
    for process in processes:
        assert process.memory_info().rss - before[process] < 64 << 20


@pytest.mark.slow
def test_the_lab_survives_its_own_restart_mid_upload(tmp_path: Path) -> None:
    """An upload cut by the server's end is delivered again to its successor."""
    body, digest = result(zipped(os.urandom(500_000)))
    with lab_server(tmp_path / "first", lab_dir=tmp_path / "lab") as first:
        bench = Bench(first, "q")
        seen: list[frames.Assignment] = []

        async def dialogue(job: frames.Assignment, _driver: ScriptedDriver) -> None:
            seen.append(job)

            def cut() -> Iterator[bytes]:
                yield body[:200_000]
                first.kill()
                yield body[200_000:]

            with pytest.raises(httpx.TransportError):
                await asyncio.to_thread(bench.put, job, cut(), digest, **{"Content-Length": str(len(body))})

        job_id = bench.run(dialogue)
    with lab_server(tmp_path / "second", lab_dir=tmp_path / "lab") as second:
        driver = second.client(bench.token)
        path = f"qpi/v1/jobs/{job_id}/attempts/{seen[0].attempt}/result"
        stored = driver.put(path, content=body, headers={DIGEST_HEADER: digest})
        assert (stored.status_code, stored.json()["accepted"]) == (201, True)
        assert second.client().get(f"qpi/v1/jobs/{job_id}").json()["status"] == "completed"
