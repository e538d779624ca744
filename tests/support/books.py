"""What a lab has written down, judged by the tests' own statements: nothing is lost, nothing happens twice."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .realworld import reading

FINAL = {"completed", "failed", "cancelled"}


class Books:
    """What the lab wrote down, read by the tests' own statements."""

    def __init__(self, lab_dir: Path) -> None:
        with reading(lab_dir) as db:
            self.jobs = {row["id"]: row for row in db.execute("SELECT * FROM jobs")}
            self.attempts = {(row["job_id"], row["attempt"]): row for row in db.execute("SELECT * FROM attempts")}
            self.ledger = db.execute("SELECT * FROM ledger WHERE job_id IS NOT NULL").fetchall()
            self.events = db.execute("SELECT job_id, data FROM events WHERE job_id IS NOT NULL ORDER BY seq").fetchall()

    def check_each_job_ended_once(self, acknowledged: Mapping[str, str]) -> None:
        """One job for each name that was acknowledged, by id, and one event that says how it ended, its last."""
        assert Counter(row["name"] for row in self.jobs.values()) == dict.fromkeys(acknowledged.values(), 1)
        told: dict[str, list[str]] = defaultdict(list)
        for row in self.events:
            told[row["job_id"]].append(json.loads(row["data"])["phase"])
        for job_id in acknowledged:
            assert [phase in FINAL for phase in told[job_id]].count(True) == 1, (job_id, told[job_id])
            assert told[job_id][-1] == self.jobs[job_id]["state"]

    def check_each_attempt_ran_once(self, runs: Counter[tuple[str, int]]) -> None:
        """By the executor's own file, every attempt that ran was assigned, and ran once."""
        assert {attempt: count for attempt, count in runs.items() if count != 1} == {}
        assert set(runs) <= set(self.attempts)
        assert all(row["outcome"] is not None for row in self.attempts.values())

    def check_charges(self, runs: Counter[tuple[str, int]]) -> None:
        """Every hold is closed once; an attempt costs what it used, if it ran, or nothing."""
        entries: dict[tuple[str, int], list[Any]] = defaultdict(list)
        for row in self.ledger:
            entries[row["job_id"], row["attempt"]].append(row)
        for attempt, rows in entries.items():
            kinds = Counter(row["kind"] for row in rows)
            assert kinds in ({"hold": 1, "settle": 1}, {"hold": 1, "refund": 1}), (attempt, kinds)
            total = sum(row["amount_s"] for row in rows)
            used = self.attempts[attempt]["busy_s"] if kinds["settle"] else 0.0
            assert abs(total + used) < 1e-9, (attempt, total, used)
            assert not kinds["settle"] or runs[attempt] == 1
        assert set(self.attempts) <= set(entries)

    def check_nothing_wanted_was_put_aside(self, names: list[str]) -> None:
        """What a driver keeps aside is of an attempt that did not complete its job."""
        for name in names:
            job_id, attempt, _ = name.split(".")
            assert self.attempts[job_id, int(attempt)]["outcome"] != "result_stored", name
