"""Searches find what is there, and none of them looks at more than a page is worth."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from qpi_jupyter.core.jobs import Job, JobState
from qpi_server.store import bench, jobs, removal, tallies
from qpi_server.store.bench import QpuRow
from qpi_server.store.jobs import JobRecord
from qpi_server.store.search import Search, page
from tests.contract.test_view import NOW, with_store

pytestmark = pytest.mark.usefixtures("each_store")
PEOPLE, GROUPS, PROJECTS = ("ann", "bob", "eve"), (None, "qed", "staff"), ("", "t1", "readout")
NAMES = ("", "Rabi q3", "rabi 100%", "T1_scan", "Größe")
TAGS = ((), ("cal",), ("cal", "night"), ("a,b",))


def id_of(number: int) -> str:
    return f"job-{number:016x}"


IDS = frozenset(map(id_of, range(150)))


def job_row(number: int, pick: random.Random) -> JobRecord:
    job = Job(
        id=id_of(number), owner=pick.choice(PEOPLE), qpu=pick.choice(("q1", "q2")),
        state=pick.choice(tuple(JobState)), estimate_s=1.0, upper_s=1.0,
    )  # fmt: skip
    tags = [*pick.choice(TAGS)]
    labels = {"name": pick.choice(NAMES), "tags": tags, "project": pick.choice(PROJECTS)}
    return JobRecord(
        job=job, labels={**labels, "shared_with": pick.choice(GROUPS)},
        format="qpy", program_sha256="p", num_circuits=1, shots=1,
        # what is submitted at once is not stored in the same order
        submitted_at=NOW + timedelta(seconds=60 * number - pick.choice((0, 90))),
    )  # fmt: skip


def second_qpu(connection: Connection) -> None:
    bench.add_qpu(connection, QpuRow(name="q2", kind="pool", created_at=NOW))


def wanted(search: Search, row: JobRecord) -> bool:
    """The same, said plainly."""
    job = row.job
    return (
        (search.person is None or job.owner == search.person or row.shared_with in search.groups)
        and search.owner in (None, job.owner)
        and (not search.ids or job.id in search.ids)
        and search.group in (None, row.shared_with)
        and search.qpu in (None, job.qpu)
        and all(row.labels[name] == value for name, value in search.labels)
        and (not search.states or job.state in search.states)
        and search.name.lower() in row.name.lower()
        and all(mentioned(word, row) for word in search.words)
        and set(search.tags) <= set(row.labels["tags"])
        and (search.submitted_after is None or row.submitted_at >= search.submitted_after)
        and (search.submitted_before is None or row.submitted_at < search.submitted_before)
    )


def mentioned(word: str, row: JobRecord) -> bool:
    if word in IDS:
        return row.id == word
    said = (row.id, row.name, row.labels["project"], row.job.owner, row.job.qpu or "", *row.labels["tags"])
    return any(word.lower() in text.lower() for text in said)


CHOICES: dict[str, tuple[Any, ...]] = {
    "person": (None, "ann"),
    "owner": (None, "ann", "bob"),
    "ids": ((), ("job-3", "job-17", "job-99", "of another lab")),
    "group": (None, "qed"),
    "qpu": (None, "q1"),
    "labels": ((), (("project", "t1"),)),
    "states": ((), (JobState.QUEUED, JobState.ASSIGNED), (JobState.COMPLETED,)),
    "name": ("", "RABI", "100%", "1_s", "größe"),
    "words": ((), (id_of(1),), ("RABI", "ann"), ("q1", "night"), ("JOB-00000000000001", "readOUT"), ("_", "%")),
    "tags": ((), ("cal",), ("cal", "night"), ("a,b",)),
    "submitted_after": (None, NOW + timedelta(hours=1)),
    "submitted_before": (None, NOW + timedelta(hours=4)),
}


def searches() -> list[Search]:
    """Every pair of filters, and many larger sets."""
    found: dict[Search, None] = {Search(): None}
    for one, two in itertools.combinations(CHOICES, 2):
        for value, other in itertools.product(CHOICES[one], CHOICES[two]):
            found[Search(**{one: value, two: other, "groups": frozenset({"qed"})})] = None
    pick = random.Random(7)
    for _ in range(100):
        found[Search(**{name: pick.choice(values) for name, values in CHOICES.items()}, groups=frozenset())] = None
    return list(found)


@pytest.mark.slow
def test_every_search_finds_what_is_there_over_all_its_pages(tmp_path: Path) -> None:
    rows: list[JobRecord] = []

    def fill(connection: Connection) -> None:
        pick = random.Random(3)
        for number in range(150):
            row = job_row(number, pick)
            rows.append(replace(row, job=row.job.with_(seq=jobs.add(connection, row, b"{}"))))
        for row in rows[::7]:
            if row.job.state.final:
                removal.delete_job(connection, row, NOW)
                rows.remove(row)

    def look(connection: Connection) -> None:
        for search in searches():
            expected = [row.id for row in reversed(rows) if wanted(search, row)]
            found: list[str] = []
            below: int | None = None
            while True:
                records, below = page(connection, search, before=below, limit=37)
                found += [row.id for row in records]
                if below is None:
                    break
            assert found == expected, search

    with_store(tmp_path, second_qpu, fill, look=look)


def test_totals_are_kept_as_rows_come_and_go(tmp_path: Path) -> None:
    def fill(connection: Connection) -> None:
        for number, owner in enumerate(("ann", "ann", "bob")):
            row = job_row(number, random.Random(1))
            jobs.add(connection, replace(row, job=row.job.with_(owner=owner, state=JobState.FAILED)), b"{}")
        record = jobs.find(connection, id_of(0))
        assert record is not None
        removal.delete_job(connection, record, NOW)

    def look(connection: Connection) -> list[int]:
        keys = (tallies.ALL_JOBS, tallies.jobs_of("ann"), tallies.jobs_of("bob"), tallies.jobs_of("eve"))
        return [tallies.read(connection, key) for key in keys]

    assert with_store(tmp_path, second_qpu, fill, look=look) == [2, 1, 1, 0]
