"""A demo lab in which everything is there to be seen: people, bookings, jobs in every state, notices, calibrations."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.support.servers import python_env
from tests.support.waiting import wait_until
from tests.ui.jupyterlab import Notebooks
from tests.ui.labs import GHZ, client_of, demo_lab, ok, signed_up

LONG = 200
"""The longest name of a job, a booking or a notice."""
BENCH = "bench-" + "W" * 58
"""A QPU with the longest name that there is."""
CHIP = "chip"
"""A simulator with a calibration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A running lab, its admin, and a plain user of it."""

    notebooks: Notebooks
    admin: httpx.Client
    pat: httpx.Client
    jobs: Mapping[str, str]
    """A job of the admin in each state."""


def online(client: httpx.Client) -> set[str]:
    """The QPUs that take jobs."""
    return {qpu["name"] for qpu in ok(client.get("qpus"))["qpus"] if qpu["status"] == "online"}


def submit(client: httpx.Client, name: str, *, qpu: str = "sim-a", source: str = GHZ, **more: Any) -> str:
    program = {"format": "openqasm3", "sources": [source]}
    body = {"program": program, "options": {"shots": 1000}, "name": name, "qpu": qpu, **more}
    return str(ok(client.post("jobs", json=body))["id"])


def status_of(client: httpx.Client, job: str, wait_s: int = 0) -> str:
    return str(ok(client.get(f"jobs/{job}?wait_s={wait_s}"))["status"])


def this_week(day: int, hour: float) -> datetime:
    """A time in this week, which begins on Monday, or in a later one; UTC."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today + timedelta(days=day - today.weekday(), hours=hour)


def book(client: httpx.Client, qpu: str, start: datetime, hours: float, **more: Any) -> str:
    interval = {"start_at": start.isoformat(), "end_at": (start + timedelta(hours=hours)).isoformat()}
    return str(ok(client.post("bookings", json={"qpu": qpu, **interval, **more}))["bookings"][0]["id"])


@contextmanager
def seeded_lab(home: Path) -> Iterator[Lab]:
    """A lab with local accounts and something of everything in it."""
    with ExitStack() as stack:
        demo = stack.enter_context(demo_lab(home))
        notebooks, admin = demo.notebooks, demo.client
        _chip(admin)
        stack.enter_context(_bench(admin, notebooks, home))
        pat = stack.enter_context(client_of(notebooks, signed_up(admin, "pat")))
        _rules(admin, pat)
        _bookings(admin, pat)
        yield Lab(notebooks=notebooks, admin=admin, pat=pat, jobs=_jobs(admin, pat))


def _chip(admin: httpx.Client) -> None:
    options = {"fake_backend": "generic-5"}
    simulator = {"name": CHIP, "executor": "qiskit_aer", "options": options, "description": "A noisy ring"}
    ok(admin.post("simulators", json=simulator))


@contextmanager
def _bench(admin: httpx.Client, notebooks: Notebooks, home: Path) -> Iterator[None]:
    """A device whose driver is busy for an hour with each job, at no cost to the machine."""
    ok(admin.post("qpus", json={"name": BENCH, "kind": "device", "description": "D" * 300}))
    token = ok(admin.post("drivers", json={"name": "control-pc", "qpu": BENCH}))["token"]
    command = [
        sys.executable, "-m", "qpi_agent", "start", "--qpi-addr", notebooks.url, "--name", "control-pc",
        "--executor", "tests.faults.executors:SlowExecutor", "-o", "simulator=false", "--data-dir", str(home / "agent"),
    ]  # fmt: skip
    with (home / "agent.log").open("wb") as log:
        process = subprocess.Popen(command, env=python_env(QPI_ACCESS_TOKEN=token), stdout=log, stderr=log)
    try:
        wait_until(lambda: {BENCH, CHIP} <= online(admin), 60, "the bench and the chip online")
        yield
    finally:
        # A driver that is told to end waits for what it runs.
        for job in ok(admin.get(f"jobs?qpu={BENCH}&limit=100"))["jobs"]:
            if job["status"] in ("pending", "running"):
                ok(admin.post(f"jobs/{job['id']}/cancel"))
        process.terminate()
        process.wait(30)


def _rules(admin: httpx.Client, pat: httpx.Client) -> None:
    """Groups, an account, a request for time, booking rules and notices."""
    ok(admin.post("groups", json={"name": "spin-team", "description": "G" * 200, "members": ["pat"]}))
    ok(admin.post("accounts/pat/grants", json={"seconds": 3600, "reason": "welcome"}))
    ok(pat.post("time-requests", json={"seconds": 5400, "reason": "R" * LONG}))
    ok(admin.put("booking-rules", json={"rule": {"granularity_s": 300, "horizon_s": 90 * 86_400}}))
    ok(admin.post("notices", json={"title": "Cool-down tonight", "body": "Fridge 2 is warm until 22:00."}))
    ok(admin.post("notices", json={"title": "N" * LONG, "body": "B" * LONG}))


def _bookings(admin: httpx.Client, pat: httpx.Client) -> None:
    book(admin, "sim-a", this_week(15, 9.5), 4, title="Randomised benchmarking", invited=["pat"])
    book(
        admin, "sim-b", this_week(14, 10), 1.5, title="Daily calibration", rrule="FREQ=DAILY;COUNT=5", mode="exclusive"
    )
    book(admin, "sim-a", this_week(16, 8.5), 8, title="Fridge service", mode="maintenance")
    book(admin, "sim-a", this_week(7, 9), 2, title="T" * LONG)
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=2)
    book(admin, BENCH, start, 1, title="B" * LONG)
    book(pat, "sim-b", this_week(7, 13), 3, title="Surface code, distance 3")
    book(pat, CHIP, this_week(8, 9), 2, title="Student course")


def _jobs(admin: httpx.Client, pat: httpx.Client) -> Mapping[str, str]:
    """A job in each state: the bench keeps the second of its own waiting."""
    jobs = {
        "completed": submit(admin, "J" * LONG, tags=["calibration", "t" * 64], project="p" * 64),
        "failed": submit(admin, "too hot", qpu=BENCH, source=f"// ERR\n{GHZ}"),
        "running": submit(admin, "over night", qpu=BENCH),
        "pending": submit(admin, "after it", qpu=BENCH),
        "cancelled": submit(admin, "not wanted", qpu=BENCH),
    }
    jobs["blocked"] = submit(admin, "both of them", after=[jobs["running"]], children=[jobs["pending"]])
    submit(pat, "of somebody else", qpu=CHIP)
    ok(admin.post(f"jobs/{jobs['cancelled']}/cancel"))
    for state in ("completed", "failed"):
        assert status_of(admin, jobs[state], wait_s=30) == state
    wait_until(lambda: status_of(admin, jobs["running"]) == "running", 30, "the long job running")
    return jobs
