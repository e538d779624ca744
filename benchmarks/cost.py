"""What one Bell job costs the server: requests, frames, transactions and CPU time. The yardstick of the latter is the
floor, asked as often."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.request import Request, urlopen

import qpi_jupyter
from benchmarks.demo import DemoLab

from .bare import SHOTS, bell
from .floor import floor
from .harness import Figure, cpu_s, watched
from .submits import Submitter

WARM_UP = 50
REQUESTS = 3
"""What the floor is asked for each job: as often as the lab is."""
COMMITS = "qpi_store_commit_seconds_count"
"""The lab's own count of its transactions."""


def run(*, quick: bool) -> Iterator[Figure]:
    """Jobs one after the other: each submitted by the lab's client, and its counts taken."""
    jobs = 100 if quick else 1000
    circuit = bell()
    with (
        watched("traffic") as (lab, seen),
        floor() as (bare_url, bare_pid),
        qpi_jupyter.connect(lab.url, token=lab.token) as client,
    ):
        bare = Submitter(bare_url)

        def trips(count: int) -> None:
            for _ in range(count):
                client.submit(circuit, qpu="sim-a", shots=SHOTS).counts()
                for _ in range(REQUESTS):
                    bare()

        trips(WARM_UP)
        commits, before, bare_before = _commits(lab), seen(), cpu_s(bare_pid)
        trips(jobs)
        after, bare_after = seen(), cpu_s(bare_pid)
        commits = _commits(lab) - commits
        bare.close()
    for what, found, goal in (
        ("requests", after["requests"], 3.1), ("frames", after["frames"], 6.1), ("transactions", commits, 3.1),
    ):  # fmt: skip
        yield Figure(name=f"{what} per Bell job", ratio=found / jobs, goal=goal)
    took, least = (1e3 * spent / jobs for spent in (after["process_s"] - before["process_s"], bare_after - bare_before))
    yield Figure(
        name="server CPU per Bell job, against the floor's", ratio=took / least, goal=4.3, ours=took, bare=least,
        unit=" ms",
    )  # fmt: skip


def _commits(lab: DemoLab) -> float:
    request = Request(f"{lab.url}qpi/metrics", headers={"Authorization": f"token {lab.token}"})
    with urlopen(request, timeout=30) as answer:
        return next(float(line.split()[1]) for line in answer.read().decode().splitlines() if line.startswith(COMMITS))
