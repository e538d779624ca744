"""What is said of jobs that wait for others."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from qpi_jupyter.core import Job, JobState, RetryPolicy
from qpi_jupyter.core.families import FragmentState, needs

BLOCKED, RUNNING, DONE = JobState.BLOCKED, JobState.RUNNING, JobState.COMPLETED


def blocked(family: str) -> Job:
    return Job(
        id="j", owner="ann", qpu="q1", state=BLOCKED, retry=RetryPolicy.SIMULATOR, family=family,
        submitted_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("states", "rule", "message"),
    [
        ({"a": BLOCKED, "b": JobState.QUEUED}, "place", "2 of 2 fragments waiting for a, b."),
        ({"a": RUNNING, "b": BLOCKED}, "fragments", "1 of 2 fragments on a; 1 waiting for b."),
        ({"a": RUNNING, "b": DONE}, "fragments", "1 of 2 fragments on a; 1 completed."),
        ({"a": DONE, "b": BLOCKED}, "fragments", "1 of 2 fragments completed; 1 waiting for b."),
        ({"a": DONE}, "fragments", "Combining the results of 1 fragment."),
    ],
)
def test_a_plans_job_says_what_its_fragments_do(states: dict[str, JobState], rule: str, message: str) -> None:
    reason = needs(blocked("j"), "", 0, [FragmentState(qpu, state) for qpu, state in states.items()])
    assert (reason.rule, reason.message) == (rule, message)


def test_what_waits_for_the_lab_says_for_what() -> None:
    assert needs(blocked("j"), "", 0).message == "The circuit is being planned."
    assert needs(blocked("other"), "", 0).message == "Its place on q1 is being prepared."
    assert needs(blocked("j"), "k", 1).message == "Job k has to complete first."
