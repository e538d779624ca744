"""Every state that jobs which wait for one another can get into keeps the promises, and mutants of the rules do not."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from qpi_jupyter.core import families, lifecycle
from qpi_jupyter.core.jobs import Job, JobState
from qpi_jupyter.core.lifecycle import Event, EventKind, Step
from tests.model.family import Explorer, Rules

CHAIN = Rules(needs=((), (0,), (1,)))
DIAMOND = Rules(needs=((), (0,), (0,), (1, 2)))
PARENT = Rules(needs=((), (), (0, 1)), parents={0: 2, 1: 2})
GRANDPARENT = Rules(needs=((), (0,), (), (1, 2)), parents={0: 1, 1: 3})
FAMILIES = pytest.mark.parametrize(
    "rules",
    [
        pytest.param(CHAIN, id="chain"),
        pytest.param(DIAMOND, id="diamond", marks=pytest.mark.slow),
        pytest.param(PARENT, id="parent"),
        pytest.param(GRANDPARENT, id="grandparent", marks=pytest.mark.slow),
        pytest.param(replace(PARENT, tries=1), id="parent, 2 tries", marks=pytest.mark.slow),
        pytest.param(replace(CHAIN, tries=1), id="chain, 2 tries", marks=pytest.mark.slow),
    ],
)


@FAMILIES
def test_every_family_keeps_the_promises(rules: Rules) -> None:
    explorer = Explorer(rules).run()
    assert explorer.violations == set()
    assert explorer.stuck() == 0
    ends = {tuple(job.state for job in world.jobs) for world in explorer.before}
    for end in (JobState.COMPLETED, JobState.CANCELLED):
        assert (end,) * len(rules.needs) in ends
    # the first fails, and those that need it with it
    assert any(states[0] is states[-1] is JobState.FAILED for states in ends)


@pytest.mark.parametrize("rules", [CHAIN, DIAMOND, PARENT], ids=["chain", "diamond", "parent"])
def test_a_family_ends_without_anybody_cancelling_it(rules: Rules) -> None:
    explorer = Explorer(replace(rules, cancels=False)).run()
    assert (explorer.violations, explorer.stuck()) == (set(), 0)


def test_a_result_may_come_after_the_cancel_of_its_parent() -> None:
    explorer = Explorer(PARENT).run()
    assert any(
        (world.jobs[0].state, world.jobs[2].state) == (JobState.COMPLETED, JobState.CANCELLED)
        for world in explorer.before
    )


# --- without its guards it fails


def _at_the_first(job: Job, event: Event) -> Step:
    """One dependency is as good as all."""
    return lifecycle.advance(job.with_(waits_for=min(1, job.waits_for)), event)


def test_if_the_first_dependency_lets_go_it_fails() -> None:
    violations = Explorer(replace(PARENT, advance=_at_the_first)).run(stop_at_first=True).violations
    assert "a job was given to a driver before those that it needs were completed" in violations


def _any_assigned(job: Job, event: Event) -> Step:
    """Whoever waits may be claimed."""
    blocked = job.state is JobState.BLOCKED and event.kind is EventKind.ASSIGNED
    return lifecycle.advance(job.with_(state=JobState.QUEUED) if blocked else job, event)


def test_if_a_blocked_job_can_be_claimed_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    claimable = (JobState.QUEUED, JobState.BLOCKED)
    with pytest.raises(lifecycle.IllegalTransition):
        Explorer(replace(CHAIN, claimable=claimable)).run()
    monkeypatch.setattr(families, "consequences", lambda job, at: (None, None))
    mutant = replace(CHAIN, claimable=claimable, advance=_any_assigned)
    violations = Explorer(mutant).run(stop_at_first=True).violations
    assert "a job was given to a driver before those that it needs were completed" in violations


_consequences = families.consequences


@pytest.mark.parametrize(
    ("state", "heard", "complaint"),
    [
        (JobState.COMPLETED, (False, True), "a job waits for nothing"),
        (JobState.FAILED, (False, True), "a job still waits for one that has no result"),
        (JobState.FAILED, (True, False), "a child goes on without its parent"),
        (JobState.CANCELLED, (False, True), "a job still waits for one that has no result"),
        (JobState.CANCELLED, (True, False), "a child goes on without its parent"),
    ],
    ids=["completed", "failed", "failed: children", "cancelled", "cancelled: children"],
)
def test_if_the_family_does_not_hear_of_an_end_it_fails(
    monkeypatch: pytest.MonkeyPatch, state: JobState, heard: tuple[bool, bool], complaint: str
) -> None:
    def mutant(job: Job, at: datetime) -> tuple[Event | None, Event | None]:
        events = _consequences(job, at)
        if job.state is not state:
            return events
        waiting, children = (event if hears else None for event, hears in zip(events, heard, strict=True))
        return waiting, children

    monkeypatch.setattr(families, "consequences", mutant)
    assert complaint in Explorer(PARENT).run().violations


@pytest.mark.parametrize("rules", [CHAIN, PARENT], ids=["chain", "parent"])
def test_if_the_family_hears_of_it_after_the_commit_it_may_wait_for_ever(rules: Rules) -> None:
    explorer = Explorer(replace(rules, at_once=False, cancels=False)).run()
    assert explorer.stuck() > 0
    assert {"a job waits for nothing", "a job still waits for one that has no result"} <= explorer.violations
