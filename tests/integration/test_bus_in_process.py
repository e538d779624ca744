"""A real agent and a real lab in one process, over the bus within it: sound, and with losses."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import tornado.httpserver
import tornado.web
from tornado.testing import bind_unused_port

from qpi_agent.agent import Agent
from qpi_agent.settings import add_flags, resolve
from qpi_jupyter.core.errors import QpiError, Rejected, Unauthorized
from qpi_jupyter.wire.rest import DriverIn, QpuIn
from qpi_jupyter.wire.results import DIGEST_HEADER
from qpi_server.bus.nats.keys import Keys
from qpi_server.service import Lab
from tests.faults.executors import read_diary
from tests.faults.lab import ADMIN, ANN, bell, open_lab
from tests.support import lossy_kind
from tests.support.broker import Broker
from tests.support.packages import a_package, installed
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.slow


class Result(tornado.web.RequestHandler):
    """Where results are delivered, beside the bus."""

    async def put(self, job_id: str, attempt: str) -> None:
        lab: Lab = self.settings["lab"]
        driver = await lab.authenticator.authenticate(self.request.headers["Authorization"].removeprefix("Bearer "))
        upload = await lab.drivers.upload(driver, job_id, int(attempt), self.request.headers[DIGEST_HEADER])
        try:
            await upload.feed(self.request.body)
            status, stored = await upload.finish()
        finally:
            upload.abort()
        self.set_status(status)
        self.finish(msgspec.json.encode(stored))


def settings_of(*words: str) -> Any:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return resolve(parser.parse_args(words), {})


@asynccontextmanager
async def driven(lab: Lab, bus: str, folder: Path, *options: str) -> AsyncIterator[Agent]:
    """A driver of ``q1`` in this process, its children apart; it is drained at the end."""
    await lab.qpus.create(ADMIN, QpuIn(name="q1", kind="pool"))
    registered = await lab.registration.register(ADMIN, DriverIn(name="d1", qpu="q1"), address="http://lab")
    routes = tornado.web.Application(
        [("/qpi/v1/jobs/([^/]+)/attempts/([0-9]+)/result", Result)], lab=lab, log_function=lambda handler: None
    )
    server = tornado.httpserver.HTTPServer(routes)
    socket, port = bind_unused_port()
    server.add_socket(socket)
    words = [f"--qpi-addr=http://127.0.0.1:{port}", "--name=d1", f"--token={registered.token}", f"--bus={bus}"]
    words += [f"--data-dir={folder / 'data'}", "--executor=tests.faults.executors:RecordingExecutor"]
    agent = Agent(settings_of(*words, *(word for option in options for word in ("-o", option))))
    running = asyncio.create_task(agent.run())
    try:
        yield agent
    finally:
        agent.drain()
        await asyncio.wait_for(running, PATIENCE_S)
        server.stop()
        await server.close_all_connections()


async def finished(lab: Lab, job_id: str) -> Any:
    return await lab.jobs.get(ANN, job_id, wait_s=PATIENCE_S)


def test_jobs_run_within_one_process(tmp_path: Path) -> None:
    async def main() -> None:
        bus = "inproc://lab"
        async with open_lab(tmp_path, buses=(bus,)) as lab:
            async with driven(lab, bus, tmp_path, f"diary={tmp_path / 'diary'}"):
                jobs = [(await lab.jobs.submit(ANN, bell()))[0].id for _ in range(3)]
                assert [(await finished(lab, job)).status for job in jobs] == ["completed"] * 3
                assert (await lab.health(ADMIN)).services.bus == "up"
            assert lab.links.all() == []
        assert [(line["job_id"], line["attempt"]) for line in read_diary(tmp_path / "diary")] == [(j, 1) for j in jobs]

    asyncio.run(main())


def test_whatever_gets_lost_every_job_runs_and_none_twice(tmp_path: Path) -> None:
    a_package(tmp_path, "lossy-bus", {"qpi.buses": {"lossy": "tests.support.lossy_kind:LOSSY"}})

    async def main() -> None:
        bus = "lossy://lab"
        async with (
            open_lab(tmp_path / "lab", buses=(bus,), heartbeat_s=0.2, lease_s=2.0, reask_s=0.2) as lab,
            driven(lab, bus, tmp_path, f"diary={tmp_path / 'diary'}"),
        ):
            jobs = [(await lab.jobs.submit(ANN, bell()))[0].id for _ in range(6)]
            jobs.append((await lab.jobs.submit(ANN, bell(source="// ERR")))[0].id)
            ends = [(await finished(lab, job)).status for job in jobs]
            assert ends == ["completed"] * 6 + ["failed"]
        ran = [line["job_id"] for line in read_diary(tmp_path / "diary") if line["event"] == "run"]
        assert sorted(ran) == sorted(jobs), "each ran once"
        assert {what for what, times in lossy_kind.LOST.items() if times} >= lossy_kind.ONCE

    with installed(tmp_path):
        asyncio.run(main())


@pytest.mark.parametrize(
    ("bus", "words"),
    [
        ("inproc://taken", r"at inproc://taken: There is a lab"),
        ("ws://127.0.0.1:1", r"at ws://127.0.0.1:1: The lab's own server is its WebSocket bus already"),
        ("nats://127.0.0.1:1?keys={keys}", r"at nats://127.0.0.1:1.*: There is no broker at nats://127.0.0.1:1: "),
        ("nats://127.0.0.1:1?keys=/nowhere", r"cannot be read from /nowhere: .*`jupyter qpi nats-config`"),
        ("nats://127.0.0.1:1", r"The lab needs its keys at the broker"),
        ("nats://nats.example.org?keys={keys}", r"clear text: reach nats.example.org by tls://nats.example.org:4222"),
        ("tls://ann@host", r"like tls://nats.example.org:4222"),
    ],
)
def test_a_bus_that_the_lab_cannot_be_on_keeps_it_from_opening_with_the_reason(
    tmp_path: Path, bus: str, words: str
) -> None:
    Keys.new().write(tmp_path / "keys.json")

    async def main() -> None:
        async with open_lab(tmp_path / "one", buses=("inproc://taken",)) as one:
            assert (await one.health()).services.bus == "up"
            with pytest.raises(QpiError, match=words):
                async with open_lab(
                    tmp_path / "other", buses=("inproc://free", bus.format(keys=tmp_path / "keys.json"))
                ):
                    pass
            async with open_lab(tmp_path / "other", buses=("inproc://free",)) as other:
                assert (await other.health()).services.bus == "up"

    asyncio.run(main())


def test_a_broker_that_does_not_know_the_labs_key_keeps_it_from_opening(tmp_path: Path) -> None:
    broker = Broker(tmp_path / "broker").start()
    Keys.new().write(tmp_path / "others.json")

    async def main() -> None:
        with pytest.raises(Unauthorized, match="does not know the lab's key: start it with the configuration"):
            async with open_lab(tmp_path / "lab", buses=(f"{broker.url}?keys={tmp_path / 'others.json'}",)):
                pass

    try:
        asyncio.run(main())
    finally:
        broker.kill()


@pytest.mark.parametrize(
    ("bus", "words"),
    [("carrier-pigeon://roof", "There is no bus 'carrier-pigeon'. Installed: inproc"), ("roof", "like scheme://place")],
)
def test_a_bus_that_is_not_installed_is_refused_at_once(tmp_path: Path, bus: str, words: str) -> None:
    async def main() -> None:
        with pytest.raises(Rejected, match=words):
            async with open_lab(tmp_path, buses=(bus,)):
                pass

    asyncio.run(main())
    with pytest.raises(Rejected, match=words):
        settings_of("--token=qpi_x", f"--bus={bus}")
