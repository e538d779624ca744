"""The event stream over a bad line, and what a lab says when there is nothing to say."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from qpi_jupyter.wire import frames
from qpi_server.service.drivers.drivers import MEASURE_EVERY_S
from qpi_server.service.telemetry import FLUSH_S
from tests.faults.agent_process import AgentProcess, ended_with
from tests.support.driver import register
from tests.support.proxy import Proxy
from tests.support.realworld import PATIENCE_S, Customer, reading
from tests.support.servers import TOKEN, lab_server
from tests.support.waiting import wait_until

CUTS, JOBS, SEED = 50, 120, 3
IDLE_S, HEARTBEAT_S, REASK_S = 20.0, 2.0, 5.0
ANSWER = "answer"
"""What has no subject: a driver's answer. Now and then the lab takes the time of a round trip."""
NO_DRIVERS = ("--demo", "--QPIServer.embedded_drivers=False")


def follow(url: str, over: Callable[[], bool]) -> list[dict[str, Any]]:
    """Every event, in small pages, for as long as it takes; an answer that breaks off is asked for again."""
    events: list[dict[str, Any]] = []
    cursor = 0
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as client:
        while True:
            last = over()  # asked before the page: that page then shows all there is
            try:
                page = client.get("qpi/v1/events", params={"after": cursor, "limit": 5}).json()
            except httpx.TransportError:
                continue
            events += page["events"]
            cursor = page["cursor"]
            if last and not page["events"]:
                return events


@pytest.mark.slow
def test_a_reader_that_is_cut_50_times_has_the_databases_own_sequence(tmp_path: Path) -> None:
    rng = random.Random(SEED)

    def write(url: str) -> None:
        customer = Customer(url)
        for number in range(JOBS):
            customer.cancel(customer.submit(f"event-{number}", "sim-b"))
        customer.close()

    with (
        lab_server(tmp_path, *NO_DRIVERS) as server,
        Proxy(_port(server.url), lambda: rng.randint(1, 3000)) as wire,
        ThreadPoolExecutor(1) as pool,
    ):
        writing = pool.submit(write, server.url)
        heard = follow(wire.url, lambda: writing.done() and wire.cuts >= CUTS)
        writing.result()
        assert wire.cuts >= CUTS
    with reading(server.lab_dir) as db:
        stored = [(row["seq"], row["kind"], row["job_id"]) for row in db.execute("SELECT * FROM events ORDER BY seq")]
    assert len(stored) >= 2 * JOBS
    assert [(event["seq"], event["kind"], event["job_id"]) for event in heard] == stored
    assert [event["prev"] for event in heard] == [0, *(seq for seq, _, _ in stored[:-1])]


@pytest.mark.slow
def test_an_idle_lab_sends_only_heartbeats_and_re_asks(tmp_path: Path) -> None:
    settings = (f"--QPIServer.heartbeat_s={HEARTBEAT_S}", f"--QPIServer.reask_s={REASK_S}", *NO_DRIVERS)
    with lab_server(tmp_path / "server", *settings) as server, Proxy(_port(server.url)) as wire:
        token, admin = register(server.client(), "idle"), server.client()
        (tmp_path / "d").mkdir()
        agent = AgentProcess(tmp_path / "d", wire.url, executor="RecordingExecutor", env={"QPI_ACCESS_TOKEN": token})
        with ended_with(agent):
            wait_until(lambda: frames.CLAIM in subjects(wire), PATIENCE_S, "the first claim")
            before, units, connections = len(subjects(wire)), _units(admin), wire.connections
            time.sleep(IDLE_S)  # what is measured is this time
            said = Counter(subjects(wire)[before:])
            # Readings come with heartbeats and are written together; who was seen, once a minute.
            assert _units(admin) - units <= IDLE_S / FLUSH_S + 1
            assert wire.connections == connections
    assert said.pop(ANSWER, 0) <= IDLE_S / MEASURE_EVERY_S + 1
    assert set(said) == {frames.HEARTBEAT, frames.CLAIM}
    assert abs(said[frames.HEARTBEAT] - IDLE_S / HEARTBEAT_S) <= 2
    assert abs(said[frames.CLAIM] - IDLE_S / REASK_S) <= 2


def subjects(wire: Proxy) -> list[str]:
    """What the driver said on its link so far: the subjects of its requests and publications, in order."""
    found = []
    for sent in wire.sent:
        head, _, data = bytes(sent).partition(b"\r\n\r\n")
        if b"Upgrade: websocket" in head:
            found += [json.loads(payload).get("subject", ANSWER) for payload in payloads(data)]
    return found


def payloads(data: bytes) -> Iterator[bytes]:
    """The texts of whole masked WebSocket frames, as a client sends them (RFC 6455, section 5.2)."""
    position = 0
    while position + 6 <= len(data):
        opcode, length = data[position] & 0x0F, data[position + 1] & 0x7F
        start = position + 2
        if length >= 126:
            size = 2 if length == 126 else 8
            length = int.from_bytes(data[start : start + size], "big")
            start += size
        mask, start = data[start : start + 4], start + 4
        position = start + length
        if position > len(data):
            return
        if opcode == 1:
            yield bytes(byte ^ key for byte, key in zip(data[start:position], itertools.cycle(mask), strict=False))


def _units(admin: httpx.Client) -> float:
    """How many units of work the store has written."""
    lines = admin.get("qpi/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("qpi_store_units_total"))


def _port(url: str) -> int:
    return int(url.rstrip("/").rpartition(":")[2])
