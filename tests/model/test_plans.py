"""Every state that a plan with fallbacks can get into keeps the promises, and mutants of the rules do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from qpi_jupyter.core.jobs import JobState
from qpi_jupyter.core.lifecycle import EventKind, Step
from qpi_jupyter.core.plans import ReservationState
from tests.model.plan import Explorer, Rules, on_tuples

ONE = Rules(
    choices=("ab",),
    reports=(
        EventKind.STARTED, EventKind.RESULT_STORED, EventKind.ERRORED, EventKind.INTERRUPTED, EventKind.ABORTED,
    ),
)  # fmt: skip
TWO = Rules(reports=(EventKind.RESULT_STORED,), cancels=False, poor=False)


@pytest.fixture(autouse=True)
def _on_tuples(monkeypatch: pytest.MonkeyPatch) -> None:
    on_tuples(monkeypatch)


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(ONE, id="one, all reports"),
        pytest.param(TWO, id="two"),
        pytest.param(replace(TWO, poor=True), id="two, poor results", marks=pytest.mark.slow),
        pytest.param(
            replace(TWO, reports=(EventKind.RESULT_STORED, EventKind.ERRORED)),
            id="two, bad programs",
            marks=pytest.mark.slow,
        ),
        pytest.param(replace(TWO, cancels=True), id="two, cancels", marks=pytest.mark.slow),
    ],
)
def test_a_plan_ends_once_leaves_no_place_and_pays_what_it_used(rules: Rules) -> None:
    explorer = Explorer(rules).run()
    assert explorer.violations == set()
    assert explorer.stuck() == 0
    ends = {world.jobs[0].job.state for world in explorer.before if all(row.job.state.final for row in world.jobs)}
    assert {JobState.COMPLETED, JobState.FAILED} <= ends


def test_a_fragment_is_measured_again_and_its_first_result_may_be_all_there_is() -> None:
    explorer = Explorer(ONE).run()
    done = [world for world in explorer.before if world.jobs[0].job.state is JobState.COMPLETED]
    second = {world.jobs[2].job.state for world in done if len(world.jobs) == 3}
    assert {JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED} <= second


# --- without its guards it fails


def _deaf(_tx: Any, _before: Any, step: Step) -> Step:
    """No place hears of the end of its job."""
    return step


def test_if_places_do_not_hear_of_their_jobs_ends_it_fails() -> None:
    assert "a place is left behind" in Explorer(replace(ONE, fragment_step=_deaf)).run(stop_at_first=True).violations


def test_if_a_place_is_committed_before_its_fragment_is_let_go_a_server_that_dies_between_leaves_it_waiting() -> None:
    explorer = Explorer(replace(ONE, commits_at_once=False, cancels=False)).run()
    waits = [
        world for world in explorer.before
        if world.places[-1].state is ReservationState.COMMITTED and world.jobs[1].job.state is JobState.BLOCKED
    ]  # fmt: skip
    assert waits
    assert not any(world.jobs[1].job.attempt for world in explorer.before)
