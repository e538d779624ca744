"""A lab through a forwarder, a person's own Jupyter server say, against the lab itself: both asked in turn."""

from __future__ import annotations

import asyncio
import http.client
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.servers import TOKEN, lab_server

from . import delay
from .driver import Driver
from .harness import Figure, interleaved, server
from .submits import Submitter

REQUESTS, QUICK_REQUESTS = 600, 100
EVENTS, QUICK_EVENTS = 200, 50
GOALS = {50: 2.0, 95: 3.0}
"""Of each percentile, how many times the direct one it may be."""


def run(*, quick: bool) -> Iterator[Figure]:
    """Reading a job, submitting one, and hearing of an event."""
    requests, events = (QUICK_REQUESTS, QUICK_EVENTS) if quick else (REQUESTS, EVENTS)
    with (
        tempfile.TemporaryDirectory(prefix="qpi-forwarder-") as folder,
        server() as lab,
        lab_server(Path(folder), QPI_UPSTREAM_URL=lab.url, QPI_UPSTREAM_TOKEN=lab.token) as forwarder,
        Driver(lab.url, lab.token) as driver,
    ):
        ways = [(forwarder.url, TOKEN), (lab.url, lab.token)]
        submitters = [Submitter(*way, driver.qpu) for way in ways]
        submitters[1]()
        [job] = lab.get("qpi/v1/jobs?limit=1&mine=false")["jobs"]
        readers = [_reader(*way, job["id"]) for way in ways]
        for what, (through, direct) in (("GET job", readers), ("submit", submitters)):
            interleaved(through, direct, requests // 10)  # connections, and what is made at first use
            yield from _figures(what, *interleaved(through, direct, requests))
        yield from _figures("event delay", *asyncio.run(_heard(ways, submitters[1], events)))
        for submitter in submitters:
            submitter.close()


def _reader(url: str, token: str, job: str) -> Callable[[], object]:
    """Asks for a job on one kept connection."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)

    def ask() -> None:
        connection.request("GET", f"{place.path}qpi/v1/jobs/{job}", headers={"Authorization": f"token {token}"})
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read())) == (200, True)

    return ask


async def _heard(ways: list[tuple[str, str]], submit: Submitter, events: int) -> tuple[list[float], list[float]]:
    """How long after its moment each event is heard of on either way (seconds)."""
    listening = asyncio.Barrier(len(ways) + 1)
    queues: list[delay.Heard] = [asyncio.Queue() for _ in ways]
    streams = [
        asyncio.ensure_future(delay.stream(*way, listening, heard)) for way, heard in zip(ways, queues, strict=True)
    ]
    await listening.wait()
    took: list[list[float]] = [[], []]
    for _ in range(events):
        await asyncio.to_thread(submit)
        for side, heard in zip(took, queues, strict=True):
            side.append(await heard.get())
    for stream in streams:
        stream.cancel()
    await asyncio.gather(*streams, return_exceptions=True)
    return took[0], took[1]


def _figures(what: str, through: list[float], direct: list[float]) -> Iterator[Figure]:
    for percent, goal in GOALS.items():
        ours, bare = (1e3 * statistics.quantiles(times, n=100)[percent - 1] for times in (through, direct))
        yield Figure(
            name=f"{what} through a forwarder, p{percent}", ratio=ours / bare, goal=goal, ours=ours, bare=bare,
            unit=" ms",
        )  # fmt: skip
