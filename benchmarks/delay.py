"""How long an event is on its way to those who follow the lab, in a lab with 200 drivers and ten submits a second."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Any, TypeAlias
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import msgspec

from benchmarks.demo import DemoLab
from qpi_jupyter.wire import sse

from .driver import Driver
from .harness import Figure, cpu_s, server
from .submits import Submitter

FOLLOWERS, LINKS, PER_S = 500, 200, 10
PEOPLE = 20
"""Each of them follows with several pages, and hears of own jobs only."""
GOAL_MS = 100.0
PARK_S, PATIENCE_S = 50, 60
Heard: TypeAlias = "asyncio.Queue[float]"
Follow: TypeAlias = Callable[[str, str, asyncio.Barrier, Heard], Awaitable[None]]


class Event(msgspec.Struct):
    """What counts of an event."""

    at: datetime
    kind: str


class Page(msgspec.Struct):
    """An answer to ``GET events``."""

    cursor: int
    events: list[Event]


def run(*, quick: bool) -> Iterator[Figure]:
    """By the stream, which has the goal; and by long-polls, each of which costs a request an event."""
    submits = 50 if quick else 300
    with server(options=["--QPIServer.local_accounts=True"]) as lab, Driver(lab.url, lab.token, links=LINKS) as bench:
        people = [_person(lab, f"person{number}") for number in range(PEOPLE)]
        for name, tokens, follow, goal in (
            ("people's streams", people, stream, GOAL_MS),
            ("streams that see all", [lab.token], stream, GOAL_MS),
            ("long-polls that see all", [lab.token], _poll, None),
        ):
            before = cpu_s(lab.pid)
            took = [1e3 * delay for delay in _delays(lab.url, tokens, bench.qpu, submits, follow)]
            spent = 1e3 * (cpu_s(lab.pid) - before) / submits
            late = statistics.quantiles(took, n=100)[-1]
            yield Figure(
                name=f"event delay, p99 (ms): {FOLLOWERS} {name}, {LINKS} links", ratio=late, goal=goal, ours=late,
                bare=statistics.median(took), unit=" ms in the middle",
                note=f"{spent:.0f} ms of the server's CPU for each submit",
            )  # fmt: skip


def _person(lab: DemoLab, name: str) -> str:
    """Somebody new's token."""
    password = f"{name} of the benchmark"
    _post(lab, "users", name=name, password=password)
    return str(_post(lab, "sign-in", name=name, password=password)["token"])


def _post(lab: DemoLab, path: str, **body: Any) -> Any:
    headers = {"Authorization": f"token {lab.token}", "Content-Type": "application/json"}
    with urlopen(Request(f"{lab.url}qpi/v1/{path}", json.dumps(body).encode(), headers), timeout=30) as answer:
        return json.load(answer)


def _delays(url: str, tokens: list[str], qpu: str, submits: int, follow: Follow) -> list[float]:
    """Submit at a steady pace for the holders of ``tokens`` in turn; the followers are shared out among them."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    expected = submits * FOLLOWERS // len(tokens)
    process = context.Process(target=_follow_all, args=(url, tokens, expected, follow, theirs))
    process.start()
    submitters = [Submitter(url, token, qpu) for token in tokens]
    try:
        assert ours.poll(PATIENCE_S), "the followers did not start"
        ours.recv()
        began = time.perf_counter()
        for number in range(submits):
            time.sleep(max(0.0, began + number / PER_S - time.perf_counter()))
            submitters[number % len(submitters)]()
        assert ours.poll(PATIENCE_S), "the followers did not hear of every job"
        return list(ours.recv())
    finally:
        process.kill()
        process.join()
        for submitter in submitters:
            submitter.close()


def _follow_all(url: str, tokens: list[str], expected: int, follow: Follow, parent: Connection) -> None:
    """A process of its own: say when everybody listens, and what the delays were once all is heard."""
    asyncio.run(_followed(url, tokens, expected, follow, parent))


async def _followed(url: str, tokens: list[str], expected: int, follow: Follow, parent: Connection) -> None:
    heard: Heard = asyncio.Queue()
    listening = asyncio.Barrier(FOLLOWERS + 1)
    followers = [
        asyncio.ensure_future(follow(url, tokens[number % len(tokens)], listening, heard))
        for number in range(FOLLOWERS)
    ]  # fmt: skip
    await listening.wait()
    parent.send("ready")
    parent.send([await heard.get() for _ in range(expected)])
    for follower in followers:
        follower.cancel()


async def stream(url: str, token: str, listening: asyncio.Barrier, heard: Heard) -> None:
    """One page: a stream that is pushed."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    head = f"GET {place.path}qpi/v1/events?newest=true HTTP/1.1\r\nHost: {place.netloc}\r\n"
    writer.write(f"{head}Accept: {sse.MEDIA_TYPE}\r\nAuthorization: token {token}\r\n\r\n".encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    parser = sse.Parser()
    while size := int(await reader.readline(), 16):
        chunk = (await reader.readexactly(size + 2))[:size]
        now = time.time()
        for fields in parser.feed(chunk):
            if b"data" in fields:
                _hear(msgspec.json.decode(fields[b"data"], type=Event), now, heard)
            elif b"id" in fields:
                await listening.wait()


async def _poll(url: str, token: str, listening: asyncio.Barrier, heard: Heard) -> None:
    """One page: a long-poll after the other on one connection."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)

    async def get(query: str) -> Page:
        head = f"GET {place.path}qpi/v1/events?{query} HTTP/1.1\r\nHost: {place.netloc}\r\n"
        writer.write(f"{head}Authorization: token {token}\r\n\r\n".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        length = int(answer.lower().partition(b"content-length:")[2].split()[0])
        return msgspec.json.decode(await reader.readexactly(length), type=Page)

    page = await get("newest=true")
    await listening.wait()
    while True:
        page = await get(f"after={page.cursor}&wait_s={PARK_S}")
        now = time.time()
        for event in page.events:
            _hear(event, now, heard)


def _hear(event: Event, now: float, heard: Heard) -> None:
    if event.kind == "job.submitted":
        heard.put_nowait(now - event.at.timestamp())
