from __future__ import annotations

import importlib.util
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpi_jupyter.core.jobs import MAX_TRIES, Job, JobState, RetryPolicy
from qpi_jupyter.core.lifecycle import (
    ILLEGAL,
    TRANSITIONS,
    EffectKind,
    Event,
    EventKind,
    IllegalTransition,
    Rule,
    advance,
    interrupted,
    lease_expired,
    left_out,
    on_hello,
    salvage_over,
)
from tests.support import ledger
from tests.support.ledger import BUSY_S

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ROOT = Path(__file__).parents[3]
# The table as it was designed, letter by letter.
DESIGN = """
| assigned| released| started| result_stored| errored| interrupted| abandoned| cancel_requested| aborted\
| dependency_done| dependency_failed| moved| assembled
blocked| !| !| !| !| !| !| !| cancelled| !| queued| failed| =| completed
queued| assigned| .| running| completed| failed| .| failed| cancelled| .| !| !| blocked| !
assigned| !| queued| running| completed| failed| queued| failed| cancelling| failed| !| !| blocked| !
running| !| !| =| completed| failed| queued| failed| cancelling| failed| !| !| blocked| !
cancelling| !| cancelled| =| completed| cancelled| cancelled| cancelled| =| cancelled| !| !| !| !
completed| !| .| .| .| .| .| .| .| .| .| .| .| .
failed| !| .| .| .| .| .| .| .| .| .| .| .| .
cancelled| !| .| .| .| .| .| .| .| .| .| .| .| .
"""
CELLS = [(state, kind) for state in JobState for kind in EventKind]


def job(state: JobState = JobState.RUNNING, **changes: Any) -> Job:
    running = state in (JobState.RUNNING, JobState.CANCELLING)
    changes.setdefault("waits_for", int(state is JobState.BLOCKED))
    known: dict[str, Any] = {"attempt": 1, "started": running, "upper_s": 10.0, **changes}
    return Job(id="j", owner="ada", qpu="q", state=state, **known)


def event(kind: EventKind, attempt: int | None = 1, busy_s: float = BUSY_S) -> Event:
    nameless = kind in (
        EventKind.ASSIGNED, EventKind.CANCEL_REQUESTED, EventKind.DEPENDENCY_DONE, EventKind.DEPENDENCY_FAILED,
        EventKind.MOVED, EventKind.ASSEMBLED,
    )  # fmt: skip
    return Event(kind=kind, at=NOW, attempt=None if nameless else attempt, driver="d", busy_s=busy_s, qpu="q")


def test_the_table_is_the_designs() -> None:
    head, *rows = ([cell.strip() for cell in line.split("|")] for line in DESIGN.strip("\n").splitlines())
    assert head[1:] == [kind.value for kind in EventKind]
    wanted = {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}
    assert wanted == {s.value: {k.value: cell.value for k, cell in row.items()} for s, row in TRANSITIONS.items()}


def test_the_reference_pages_are_current(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    for name, page in generate.PAGES.items():
        assert (ROOT / "docs" / "reference" / name).read_text() == page(), f"{name} is stale: make generate"


@pytest.mark.parametrize(("state", "kind"), CELLS)
def test_advance_does_what_the_cell_says(state: JobState, kind: EventKind) -> None:
    before, rule = job(state), TRANSITIONS[state][kind]
    if rule is ILLEGAL:
        with pytest.raises(IllegalTransition, match=f"{kind} cannot happen to job j"):
            advance(before, event(kind))
        return
    step = advance(before, event(kind))
    assert step.accepted
    if isinstance(rule, Rule):
        assert step.changed is (state is JobState.BLOCKED)
        assert step.job == before.with_(driver="" if step.changed else before.driver)
    else:
        assert (step.job.state, step.changed) == (rule, True)
        assert step.job.attempt == before.attempt + (kind in (EventKind.ASSIGNED, EventKind.ASSEMBLED))


@pytest.mark.parametrize(("state", "kind"), [c for c in CELLS if event(c[1]).attempt is not None])
@pytest.mark.parametrize("attempt", [0, 1, 3])
def test_another_attempt_changes_nothing(state: JobState, kind: EventKind, attempt: int) -> None:
    before = job(state, attempt=2)
    step = advance(before, event(kind, attempt))
    assert (step.job, step.accepted, step.changed) == (before, False, False)
    stop = [(EffectKind.ABORT, attempt)] if kind is EventKind.STARTED else []
    assert [(e.kind, e.attempt) for e in step.effects] == stop


@pytest.mark.parametrize("state", [JobState.ASSIGNED, JobState.RUNNING, JobState.CANCELLING])
def test_a_drivers_event_names_its_attempt(state: JobState) -> None:
    with pytest.raises(IllegalTransition):
        advance(job(state), event(EventKind.RESULT_STORED, None))


def test_the_labs_own_check_fails_a_queued_job() -> None:
    error = {"kind": "ProgramError", "code": "bad_program", "message": "line 3", "data": {}}
    checked = Event(kind=EventKind.ERRORED, at=NOW, error=error)
    step = advance(job(JobState.QUEUED, attempt=0), checked)
    assert (step.job.state, step.job.error) == (JobState.FAILED, error)
    assert [(e.kind, e.attempt) for e in step.effects] == [(EffectKind.REFUND, 1)]


@pytest.mark.parametrize("kind", [EventKind.ERRORED, EventKind.ABANDONED, EventKind.ABORTED])
def test_a_failed_job_always_says_why(kind: EventKind) -> None:
    error = advance(job(), event(kind)).job.error
    assert error is not None
    assert error["code"] == "no_reason"


@pytest.mark.parametrize("state", [s for s in JobState if s.final or s is JobState.CANCELLING])
def test_a_late_start_is_told_to_stop(state: JobState) -> None:
    assert [(e.kind, e.attempt) for e in advance(job(state), event(EventKind.STARTED)).effects] == [
        (EffectKind.ABORT, 1)
    ]


class TestTries:
    def test_a_simulator_has_three(self) -> None:
        current = job(JobState.QUEUED, attempt=0)
        for n in range(1, MAX_TRIES + 1):
            current = advance(current, event(EventKind.ASSIGNED)).job
            current = advance(current, event(EventKind.STARTED, n)).job
            current = lease_expired(current, NOW).job
            assert current.state is (JobState.QUEUED if n < MAX_TRIES else JobState.FAILED)
        assert current.error is not None
        assert current.error["code"] == "driver_lost"

    def test_a_release_costs_none(self) -> None:
        current = job(JobState.QUEUED, attempt=0)
        for n in range(1, 6):
            current = advance(advance(current, event(EventKind.ASSIGNED)).job, event(EventKind.RELEASED, n)).job
        assert (current.state, current.attempt, current.tries) == (JobState.QUEUED, 5, 0)

    @pytest.mark.parametrize(
        ("retry", "started", "safe", "tries", "again"),
        [
            (RetryPolicy.SIMULATOR, True, False, 1, True),
            (RetryPolicy.SIMULATOR, True, False, 2, False),
            (RetryPolicy.HARDWARE, False, False, 1, True),
            (RetryPolicy.HARDWARE, False, False, 2, False),
            (RetryPolicy.HARDWARE, True, False, 0, False),
            (RetryPolicy.HARDWARE, True, True, 0, True),
            (RetryPolicy.HARDWARE, True, True, 2, False),
        ],
    )
    def test_who_may_try_again(self, retry: RetryPolicy, started: bool, safe: bool, tries: int, again: bool) -> None:
        state = JobState.RUNNING if started else JobState.ASSIGNED
        current = job(state, retry=retry, started=started, retry_safe=safe, tries=tries)
        assert interrupted(current) is (EventKind.INTERRUPTED if again else EventKind.ABANDONED)
        wanted = JobState.QUEUED if again else JobState.FAILED
        assert advance(current, event(EventKind.INTERRUPTED)).job.state is wanted, "whoever reports it"
        assert left_out(current, NOW).job.state is wanted


class TestAnInstrumentThatWentSilent:
    def lost(self, **changes: Any) -> Job:
        return lease_expired(job(retry=RetryPolicy.HARDWARE, **changes), NOW).job

    def test_keeps_its_job(self) -> None:
        lost = self.lost()
        assert (lost.state, lost.phase, lost.state.status, lost.tries) == (JobState.RUNNING, "lost", "running", 0)
        assert not lease_expired(lost, NOW + timedelta(hours=1)).changed

    def test_before_it_started_the_job_goes_back(self) -> None:
        assert lease_expired(job(JobState.ASSIGNED, retry=RetryPolicy.HARDWARE), NOW).job.state is JobState.QUEUED

    def test_comes_back_with_it(self) -> None:
        step = on_hello(self.lost(), {("j", 1)}, NOW)
        assert (step.job.phase, step.changed) == ("running", True)

    @pytest.mark.parametrize(("safe", "state"), [(False, JobState.FAILED), (True, JobState.QUEUED)])
    def test_comes_back_without_it(self, safe: bool, state: JobState) -> None:
        step = on_hello(self.lost(retry_safe=safe), {("j", 2), ("other", 1)}, NOW)
        assert (step.job.state, step.job.lost) == (state, False)

    @pytest.mark.parametrize("kind", [EventKind.STARTED, EventKind.RESULT_STORED, EventKind.CANCEL_REQUESTED])
    def test_is_lost_no_more_after_news(self, kind: EventKind) -> None:
        assert not advance(self.lost(), event(kind)).job.lost

    @pytest.mark.parametrize(("upper_s", "salvage_s"), [(10.0, 3600.0), (1800.0, 3600.0), (7200.0, 14400.0)])
    def test_is_waited_for_so_long(self, upper_s: float, salvage_s: float) -> None:
        lost = self.lost(upper_s=upper_s)
        assert not salvage_over(lost, NOW + timedelta(seconds=salvage_s - 1))
        assert salvage_over(lost, NOW + timedelta(seconds=salvage_s))
        assert not salvage_over(job(), NOW + timedelta(days=9))


def test_a_result_after_the_job_was_queued_again_is_kept_and_charged_once() -> None:
    running = job()
    step = left_out(running, NOW)
    entries = ledger.post(ledger.opening(), step.effects)
    assert (step.job.state, ledger.sums(entries)) == (JobState.QUEUED, {1: 0.0, 2: -ledger.HOLD_S})
    step = advance(step.job, event(EventKind.RESULT_STORED))
    entries = ledger.post(entries, step.effects)
    assert (step.job.state, ledger.sums(entries)) == (JobState.COMPLETED, {1: -BUSY_S, 2: 0.0})


@given(st.lists(st.tuples(st.sampled_from(list(EventKind)), st.integers(-1, 0)), max_size=25), st.data())
def test_whatever_happens_the_ledger_is_right(history: list[tuple[EventKind, int]], data: st.DataObject) -> None:
    retry = data.draw(st.sampled_from(list(RetryPolicy)))
    current, entries = job(JobState.QUEUED, attempt=0, retry=retry), ledger.opening()
    for kind, back in history:
        try:
            step = advance(current, event(kind, current.attempt + back))
        except IllegalTransition:
            continue
        current, entries = step.job, ledger.post(ledger.post(entries, step.effects), step.effects)
        assert ledger.flaw(entries, final=current.state.final) is None
        assert current.tries <= MAX_TRIES


class TestAFragmentThatMoves:
    """A plan's fragment goes to another QPU, and whoever had it is not believed any more."""

    def moved(self, state: JobState, **changes: Any) -> Job:
        to_q2 = Event(kind=EventKind.MOVED, at=NOW, qpu="q2", retry=RetryPolicy.HARDWARE, **changes)
        return advance(job(state), to_q2).job

    @pytest.mark.parametrize("state", [JobState.BLOCKED, JobState.QUEUED, JobState.ASSIGNED, JobState.RUNNING])
    def test_waits_for_its_place_there(self, state: JobState) -> None:
        moved = self.moved(state)
        assert (moved.state, moved.qpu, moved.waits_for, moved.started) == (JobState.BLOCKED, "q2", 1, False)
        assert (moved.retry, moved.moved) == (RetryPolicy.HARDWARE, True)
        queued = advance(moved, event(EventKind.DEPENDENCY_DONE)).job
        again = advance(queued, event(EventKind.ASSIGNED)).job
        assert (queued.state, again.attempt, again.moved) == (JobState.QUEUED, 2, False)

    @pytest.mark.parametrize("waiting", [False, True])
    @pytest.mark.parametrize("kind", [kind for kind in EventKind if event(kind).attempt is not None])
    def test_nothing_late_counts(self, kind: EventKind, waiting: bool) -> None:
        moved = self.moved(JobState.RUNNING)
        now = moved if waiting else advance(moved, event(EventKind.DEPENDENCY_DONE)).job
        step = advance(now, event(kind))
        assert (step.job, step.accepted, step.changed) == (now, False, False)

    @pytest.mark.parametrize("busy_s", [0.0, BUSY_S])
    def test_the_ledger_is_right(self, busy_s: float) -> None:
        step = advance(job(), Event(kind=EventKind.MOVED, at=NOW, qpu="q2", busy_s=busy_s))
        entries = ledger.post(ledger.opening(), step.effects)
        assert ledger.sums(entries) == {1: -busy_s, 2: -ledger.HOLD_S}
        ended = advance(step.job, event(EventKind.CANCEL_REQUESTED))
        entries = ledger.post(entries, ended.effects)
        assert (ledger.flaw(entries, final=True), ledger.sums(entries)) == (None, {1: -busy_s, 2: 0.0})
        assert any(effect.kind is EffectKind.ABORT for effect in step.effects)
