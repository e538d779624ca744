"""Jobs that wait for one another, submitted from notebooks in real kernels; server and drivers are killed meanwhile."""

from __future__ import annotations

import json
import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.executors import read_diary
from tests.support.books import Books
from tests.support.notebooks import execute
from tests.support.realworld import PATIENCE_S
from tests.support.servers import TOKEN
from tests.support.trips import Trip, going

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "wait-for-other-jobs.md"
NAMES = ["first", "left", "right", "last"]
NEEDS = {"first": [], "left": ["first"], "right": ["first"], "last": ["left", "right"]}
CONNECT = "%load_ext qpi_jupyter\nimport json, qpi_jupyter\nlab = qpi_jupyter.connect()"
DIAMOND = (
    CONNECT,
    "%%qpi_submit --qpu q1 --name first --job first\nOPENQASM 3.0; qubit q; bit c; c = measure q; // first",
    'left = lab.submit("OPENQASM 3.0; // left", qpu="q1", name="left", after=first)',
    "%%qpi_submit --qpu q2 --name right --job right --after first\nOPENQASM 3.0; // right",
    'last = lab.submit("OPENQASM 3.0; // last", qpu="q2", name="last", after=[left, right])',
    "print(json.dumps({job.model.name: job.id for job in (first, left, right, last)}))",
)
"""Two sides that wait for the first, one on each QPU, and a last one that waits for both."""


@pytest.fixture
def trip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Trip]:
    """A lab of two QPUs that may die, and the settings of kernels that find it."""
    with going(tmp_path, trap=getattr(request, "param", "")) as there:
        for name, value in {
            "QPI_LAB_URL": there.server.url, "QPI_LAB_TOKEN": TOKEN, "IPYTHONDIR": str(tmp_path),
            "MPLCONFIGDIR": str(tmp_path),
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        for qpu in ("q1", "q2"):
            there.register(qpu)
        yield there


def said(*cells: str) -> Any:
    """What the last cell of a notebook prints, as JSON."""
    (output,) = execute(*cells).cells[-1].outputs
    return json.loads(output.text)


def lines(*diaries: Path) -> list[dict[str, Any]]:
    return [line for diary in diaries for line in read_diary(diary)]


@pytest.mark.slow
def test_a_diamond_runs_in_order_over_two_qpus_whatever_is_killed(trip: Trip, tmp_path: Path) -> None:
    diary = tmp_path / "diary.jsonl"  # of both: what ran, in order
    lasting, short = (("seconds=600", f"diary={diary}"), ("seconds=0.5", f"diary={diary}"))
    drivers = {qpu: trip.drive(qpu, *lasting) for qpu in ("q1", "q2")}
    jobs = said(*DIAMOND)
    for name, qpu in (("first", "q1"), ("right", "q2")):
        trip.until(jobs[name], "running")
        trip.server.kill()
        trip.serve()
        assert trip.customer.job(jobs["last"])["phase"] == "blocked"
        drivers[qpu].send(signal.SIGKILL)
        drivers[qpu].process.wait(PATIENCE_S)
        trip.drive(qpu, *short)
    seen = said(
        CONNECT,
        f"jobs = [lab.job(id).wait() for id in {[jobs[name] for name in NAMES]}]",
        "print(json.dumps([[job.status, job.counts(), repr(job.family()), str(job.story())] for job in jobs]))",
    )
    assert [one[:2] for one in seen] == [["completed", {"11": 1024}]] * 4
    families, stories = {one[2] for one in seen}, {one[3].partition("\n")[2] for one in seen}
    assert (len(families), len(stories)) == (1, 1), (families, stories)
    books, runs = Books(trip.server.lab_dir), lines(diary)
    for name, needs in NEEDS.items():
        began = [n for n, line in enumerate(runs) if line["job_id"] == jobs[name]]
        ended = [n for need in needs for n, line in enumerate(runs) if line["job_id"] == jobs[need]]
        assert began
        assert not ended or min(began) > max(ended), f"{name} before {needs}: {runs}"
    check(trip, books, jobs, runs)


@pytest.mark.slow
@pytest.mark.parametrize("trip", ["cancel_after_commit"], indirect=True)
def test_cancelling_the_first_cancels_all_whatever_is_killed(trip: Trip) -> None:
    first, other = (trip.drive(qpu, "seconds=600") for qpu in ("q1", "q2"))
    jobs = said(*DIAMOND)
    trip.until(jobs["first"], "running")

    def restart() -> None:
        """The server dies when the cancel is written, before it has told anybody; so does the driver that runs."""
        assert trip.server.process.wait(PATIENCE_S) == -signal.SIGKILL
        first.send(signal.SIGKILL)
        trip.serve()
        trip.drive("q1", "seconds=600")

    killer = threading.Thread(target=restart)
    killer.start()
    seen = said(
        CONNECT,
        f"jobs = [lab.job(id) for id in {[jobs[name] for name in NAMES]}]\njobs[0].cancel()",
        "print(json.dumps([[job.wait().status, job.why()] for job in jobs]))",
    )
    killer.join()
    assert [status for status, _ in seen] == ["cancelled"] * 4
    assert {why for _, why in seen[1:]} == {f"Job {jobs['first']} was cancelled, and this job with it."}
    runs = lines(first.diary, other.diary)
    assert [line["job_id"] for line in runs] == [jobs["first"]]
    check(trip, Books(trip.server.lab_dir), jobs, runs)


@pytest.mark.slow
def test_the_pages_code_runs(trip: Trip) -> None:
    for qpu in ("q1", "q2"):
        trip.drive(qpu)
    *_, tail = execute(*re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)).cells
    (shown,) = tail.outputs
    story = shown.data["text/plain"]
    assert "compare" in story
    assert "all jobs that it waited for have completed; queued" in story


def check(trip: Trip, books: Books, jobs: dict[str, str], runs: list[dict[str, Any]]) -> None:
    """Each ended once, and what the family cost is what its jobs did."""
    books.check_each_job_ended_once({job_id: name for name, job_id in jobs.items()})
    books.check_charges(Counter((line["job_id"], line["attempt"]) for line in runs))
    family = trip.customer.call("GET", f"v1/jobs/{jobs['last']}/family").json()
    assert [job["id"] for job in family["jobs"]] == [jobs[name] for name in NAMES]
    assert family["cost_s"] == pytest.approx(-sum(row["amount_s"] for row in books.ledger))
    assert family["cost_s"] == pytest.approx(sum(row["busy_s"] or 0.0 for row in books.jobs.values()))
