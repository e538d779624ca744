"""Every state that one job's lab can get into keeps the design's promises, and mutants of the rules do not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qpi_jupyter.core import lifecycle
from qpi_jupyter.core.jobs import Job, JobState, RetryPolicy
from qpi_jupyter.core.lifecycle import Effect, EffectKind, Event, Step
from tests.model.lab import Explorer, Rules
from tests.support import ledger
from tests.support.ledger import Entries

POLICIES = pytest.mark.parametrize(
    ("retry", "retry_safe"),
    [(RetryPolicy.SIMULATOR, False), (RetryPolicy.HARDWARE, False), (RetryPolicy.HARDWARE, True)],
    ids=["simulator", "hardware", "hardware, retry safe"],
)
SIZES = [
    pytest.param({"tries": 2, "max_net": 3}, id="1 try, 1 release, 3 messages"),
    pytest.param({"tries": 1, "max_releases": 0}, id="2 tries", marks=pytest.mark.slow),
    pytest.param({"tries": 1, "max_releases": 1}, id="2 tries, 1 release", marks=pytest.mark.slow),
    pytest.param({"tries": 1, "max_releases": 0, "max_net": 3}, id="2 tries, 3 messages", marks=pytest.mark.slow),
]


@POLICIES
@pytest.mark.parametrize("size", SIZES)
def test_every_world_keeps_the_promises(retry: RetryPolicy, retry_safe: bool, size: dict[str, int]) -> None:
    explorer = Explorer(Rules(retry=retry, retry_safe=retry_safe, **size)).run()
    assert explorer.violations == {}
    assert explorer.stuck() == 0
    assert len(explorer.before) > 2000
    ends = {world.job.state for world in explorer.before if world.job.state.final}
    assert ends == {JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED}


@POLICIES
def test_a_job_ends_without_anybody_cancelling_it(retry: RetryPolicy, retry_safe: bool) -> None:
    explorer = Explorer(Rules(retry=retry, retry_safe=retry_safe, tries=2, cancels=False)).run()
    assert (explorer.violations, explorer.stuck()) == ({}, 0)


def test_the_worlds_include_what_they_are_about() -> None:
    explorer = Explorer(Rules(retry=RetryPolicy.HARDWARE, tries=1, max_releases=0)).run()
    worlds = list(explorer.before)
    assert any(world.job.lost for world in worlds)
    assert any(
        world.job.state is JobState.COMPLETED and world.job.attempt == 1 and world.job.tries == 2 for world in worlds
    ), "a result that came after its attempt was given up was accepted (salvage)"
    assert any(world.bench.count("running") == 2 for world in worlds), "two attempts ran at once"
    assert any(world.bench.count("spooled") == 2 for world in worlds), "two attempts measured"


def _without_fence(job: Job, event: Event) -> Step:
    """Whatever attempt a message is about, it is taken for the present one."""
    known = event.attempt is not None and job.attempt > 0
    return lifecycle.advance(job, replace(event, attempt=job.attempt) if known else event)


@pytest.mark.slow
def test_without_the_fence_it_fails() -> None:
    rules = Rules(retry=RetryPolicy.SIMULATOR, tries=1, max_releases=0, advance=_without_fence)
    violations = Explorer(rules).run().violations
    assert set(violations) == {"a stale attempt changed something", "an attempt that never ran was charged"}


def test_if_attempts_are_sent_again_one_runs_twice() -> None:
    rules = Rules(retry=RetryPolicy.SIMULATOR, tries=2, max_releases=0, resend=True)
    assert "an attempt ran twice" in Explorer(rules).run(stop_at_first=True).violations


def _charge_always(entries: Entries, effects: tuple[Effect, ...]) -> Entries:
    """A ledger that does not look whether the attempt was settled before."""
    for effect in effects:
        if effect.kind is EffectKind.SETTLE:
            amount = ledger.accounting.held(entries, effect.attempt) - effect.data["busy_s"]
            entries += (ledger.entry(ledger.EntryKind.SETTLE, effect.attempt, amount),)
        else:
            entries = ledger.post(entries, [effect])
    return entries


def test_if_settling_is_not_deduplicated_a_job_is_charged_twice() -> None:
    rules = Rules(retry=RetryPolicy.SIMULATOR, tries=2, max_releases=0, post=_charge_always)
    assert "an attempt has two entries of one kind" in Explorer(rules).run(stop_at_first=True).violations


def _forgetful(job: Job, event: Event) -> Step:
    """Loses a final state when a late message comes."""
    step = lifecycle.advance(job, event)
    late = event.kind is lifecycle.EventKind.STARTED and job.state is JobState.CANCELLED
    return Step(job=job.with_(state=JobState.RUNNING), changed=True) if late else step


def test_if_a_final_state_can_be_left_it_fails() -> None:
    rules = Rules(retry=RetryPolicy.SIMULATOR, tries=2, max_releases=0, advance=_forgetful)
    assert "a final job changed" in Explorer(rules).run(stop_at_first=True).violations
