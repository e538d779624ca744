"""A plan of a few fragments with fallbacks, small enough to visit every state that its rows can get into.

What is done in a transaction is the product's own: `Places.next` and `_commit`, `Leaving.overdue`, `Quality.again`,
`fragment_step` and all of the core. Only the rows are tuples here. Nothing about a plan is in memory between two
transactions, so a server that dies at any moment is one that does not take the next step, and the one after it has to
be possible from the rows alone: no state may be without a way to the end.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from qpi_jupyter.core import Faulted, Rejected, families, lifecycle
from qpi_jupyter.core.jobs import Job, JobState
from qpi_jupyter.core.lifecycle import Event, EventKind, Step
from qpi_jupyter.core.plans import Choice, Cost, ReservationState
from qpi_jupyter.core.reservations import ENDED, Reservation, ReservationEvent, used
from qpi_jupyter.core.reservations import ReservationEventKind as Kind
from qpi_server.service.lifecycle import fragments
from qpi_server.service.plans import leaving, places, quality
from qpi_server.service.plans.leaving import Leaving
from qpi_server.service.plans.places import Places
from qpi_server.service.plans.quality import Quality
from tests.support import ledger
from tests.support.ledger import AT, BUSY_S, Entries

PARENT, LEAST = "p", 0.9
_FREE = Cost(esp=1.0, duration_s=0.0, wait_s=0.0, load=0.0, latency_s=0.0, total=0.0)
_OPEN = (JobState.ASSIGNED, JobState.RUNNING, JobState.CANCELLING)
_PLACED = (JobState.QUEUED, JobState.ASSIGNED, JobState.RUNNING)
_S = ReservationState


@dataclass(frozen=True)
class Row:
    """A job as the service reads it, and its ledger."""

    job: Job
    lines: Entries
    parent: str | None = PARENT
    version: int = 0

    @property
    def id(self) -> str:
        return self.job.id


class World(NamedTuple):
    """The rows of the jobs, the parent first, and of the places."""

    jobs: tuple[Row, ...]
    places: tuple[Reservation, ...]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The plan, and the server under test: the product, or a mutant of it."""

    choices: tuple[str, ...] = ("ab", "ba")
    """The QPUs of each fragment."""
    reports: tuple[EventKind, ...] = (EventKind.RESULT_STORED, EventKind.ERRORED, EventKind.INTERRUPTED)
    """What drivers say of attempts."""
    cancels: bool = True
    poor: bool = True
    """Whether results may turn out to be below the least fidelity."""
    fragment_step: Callable[[Any, Any, Step], Step] = fragments.fragment_step
    commits_at_once: bool = True

    @property
    def plan(self) -> Any:
        made = [tuple(Choice(qpu=q, calibration_id="", cost=_FREE) for q in names) for names in self.choices]
        return SimpleNamespace(
            fragments=[SimpleNamespace(choices=choices) for choices in made],
            request=SimpleNamespace(min_fidelity=LEAST, seed=0),
        )


@dataclass
class Tx:
    """A transaction: the rows while they are changed."""

    rules: Rules
    jobs: dict[str, Row]
    places: dict[str, Reservation]
    at: Any = AT
    told: list[object] = field(default_factory=list)

    @property
    def connection(self) -> Tx:
        return self

    def tell(self, news: object) -> None:
        self.told.append(news)

    # --- what the store's functions are here

    def sorted(self) -> list[Reservation]:
        return sorted(self.places.values(), key=lambda one: (one.fragment, one.created_at, one.id))

    def save(self, before: Reservation, after: Reservation) -> bool:
        if self.places[before.id].state is not before.state:
            return False
        self.places[after.id] = after
        return True

    def carry_out(self, before: Row, step: Step) -> None:
        def advance(job: Job, event: Event) -> Job:
            return self._write(self.jobs[job.id], lifecycle.advance(job, event)).job

        after = self._write(before, step)
        families.spread(
            after.job, self.at, advance=advance,
            waiting=lambda job: [self.jobs[PARENT].job] if job.id in _first(self) and self._waits() else [],
            children=lambda job: [
                row.job for row in self.jobs.values() if row.parent == job.id and not row.job.state.final
            ],
        )  # fmt: skip

    def _waits(self) -> bool:
        return self.jobs[PARENT].job.state is JobState.BLOCKED

    def _write(self, before: Row, step: Step) -> Row:
        step = self.rules.fragment_step(self, before, step)
        lines = ledger.post(before.lines, step.effects)
        after = replace(
            before, job=step.job.with_(error=None), lines=tuple(sorted(lines, key=lambda e: (e.attempt, e.kind)))
        )  # fmt: skip
        self.jobs[before.id] = after
        return after

    def again(self, _parent: object, first: Reservation, choice: Choice) -> None:
        job = _job(f"{first.child_id}x", choice.qpu)
        self.jobs[job.id] = Row(job, ledger.opening())
        fragments.request(self, replace(first, child_id=job.id), choice.qpu, owner="ada", number=1)  # type: ignore[arg-type]


def _first(tx: Tx) -> set[str]:
    return {f"f{index}" for index in range(len(tx.rules.choices))}


def _job(name: str, qpu: str) -> Job:
    return Job(id=name, owner="ada", qpu=qpu, state=JobState.BLOCKED, waits_for=1, tries=2, family=PARENT)


def on_tuples(patch: pytest.MonkeyPatch) -> None:
    """Let the service work on a `Tx`."""
    rows = SimpleNamespace(
        add=lambda tx, new: tx.places.__setitem__(new.id, new),
        save=lambda tx, before, after: tx.save(before, after),
        of_job=lambda tx, _job: tx.sorted(),
        of_child=lambda tx, child: [one for one in tx.sorted() if one.child_id == child],
        of_fragment=lambda tx, _job, number: [one for one in tx.sorted() if one.fragment == number],
        prolong=lambda *_: None,
    )
    jobs = SimpleNamespace(find=lambda tx, name: tx.jobs.get(name))
    moved = lambda _tx, qpu, at, busy_s=0.0: Event(kind=EventKind.MOVED, at=at, qpu=qpu, busy_s=busy_s)  # noqa: E731
    for module in (fragments, places, leaving, quality):
        patch.setattr(module, "reservations", rows)
        patch.setattr(module, "jobs", jobs, raising=False)
        patch.setattr(module, "find", jobs.find, raising=False)
        patch.setattr(module, "moved_to", moved, raising=False)
        patch.setattr(module, "carry_out", lambda tx, before, step: tx.carry_out(before, step), raising=False)
    patch.setattr(fragments, "tell", lambda *_, **__: None)
    patch.setattr(fragments, "choices_of", lambda tx, one: tx.rules.plan.fragments[one.fragment].choices)
    patch.setattr(places, "loads", lambda _tx: defaultdict(lambda: (0,)))
    patch.setattr(places, "bench", SimpleNamespace(qpu=lambda *_: None))
    patch.setattr(quality, "Fragments", lambda *_: SimpleNamespace(again=lambda tx, *rest: tx.again(*rest)))


class Explorer:
    """Visits every world that can be reached, breadth first, and collects what is wrong with it."""

    def __init__(self, rules: Rules) -> None:
        self.rules, self.plan = rules, rules.plan
        self.violations: set[str] = set()
        self._places: Any = SimpleNamespace(_links=SimpleNamespace(places=lambda _: 1), move=Places.move)
        self._lost: Any = SimpleNamespace(_gone=lambda *_: True, _places=self._places)
        self._closed: Any = SimpleNamespace(_gone=lambda *_: False, _places=self._places)
        self._quality: Any = SimpleNamespace(_context=SimpleNamespace(qpus="ab"), _links=None)
        self.before: dict[World, list[World]] = {self._start(): []}

    def _start(self) -> World:
        parent = Job(
            id=PARENT, owner="ada", qpu="a", state=JobState.BLOCKED, waits_for=len(self.rules.choices) + 1,
            family=PARENT,
        )  # fmt: skip
        tx = Tx(self.rules, {PARENT: Row(parent, (), parent=None)}, {})
        for index, names in enumerate(self.rules.choices):
            job = _job(f"f{index}", names[0])
            tx.jobs[job.id] = Row(job, ledger.opening())
            like = Reservation(
                id="", job_id=PARENT, fragment=index, child_id=job.id, qpu="", created_at=AT, expires_at=AT,
                changed_at=AT,
            )  # fmt: skip
            fragments.request(tx, like, names[0], owner="ada", number=1)  # type: ignore[arg-type]
        return _frozen(tx)

    def run(self, *, stop_at_first: bool = False) -> Explorer:
        todo = deque(self.before)
        while todo and not (stop_at_first and self.violations):
            world = todo.popleft()
            for after in self.successors(world):
                if after == world:
                    continue
                self.violations |= set(complaints(world, after))
                if after not in self.before:
                    self.before[after] = []
                    todo.append(after)
                self.before[after].append(world)
        return self

    def stuck(self) -> int:
        """How many worlds can never come to an end of every job."""
        good = {world for world in self.before if all(row.job.state.final for row in world.jobs)}
        todo = list(good)
        while todo:
            fresh = set(self.before[todo.pop()]) - good
            good |= fresh
            todo += fresh
        return len(self.before) - len(good)

    def successors(self, world: World) -> Iterator[World]:
        for work in (*self._of_places(world), *self._of_jobs(world), *self._of_the_plan(world)):
            tx = Tx(self.rules, {row.id: row for row in world.jobs}, {one.id: one for one in world.places})
            work(tx)
            yield _frozen(tx)

    def _of_places(self, world: World) -> Iterator[Callable[[Tx], object]]:
        """What drivers answer, and what becomes of places whose time is over, or whose driver is killed."""
        latest = _latest(world)
        for one in latest:
            if one.state is _S.REQUESTED:
                event = ReservationEvent(kind=Kind.PREPARED, at=AT, esp=1.0)
                yield lambda tx, one=one, event=event: fragments.change(tx, one, event, owner="ada")
            if one.state in (_S.REQUESTED, _S.PREPARED):
                for kind, why in ((Kind.REFUSED, Rejected("unfit")), (Kind.EXPIRED, Faulted("late"))):
                    yield lambda tx, one=one, kind=kind, why=why: Places.next(
                        self._places, tx, self.plan, one, why, kind
                    )  # fmt: skip
            if one.state is _S.COMMITTED:
                for leaving_ in (self._lost, self._closed):
                    yield lambda tx, one=one, on=leaving_: Leaving.overdue(on, tx, self.plan, one, "gone")
        if self.rules.commits_at_once:
            yield lambda tx: Places.commit_all(self._places, tx, PARENT)
        elif latest and all(one.state is not _S.REQUESTED for one in latest):
            for one in latest:
                if one.state is _S.PREPARED:
                    event = ReservationEvent(kind=Kind.COMMITTED, at=AT)
                    yield lambda tx, one=one, event=event: fragments.change(tx, one, event, owner="ada")

    def _of_jobs(self, world: World) -> Iterator[Callable[[Tx], object]]:
        for row in world.jobs:
            job = row.job
            if self.rules.cancels and not job.state.final:
                yield self._event(row, EventKind.CANCEL_REQUESTED)
            if job.state is JobState.QUEUED:
                yield self._event(row, EventKind.ASSIGNED, driver=job.qpu)
            if job.state in _OPEN:
                yield lambda tx, row=row: tx.carry_out(row, lifecycle.lease_expired(row.job, AT))
            if row.parent is None or not job.attempt or job.state is JobState.BLOCKED:
                continue
            for kind in self.rules.reports:
                if lifecycle.TRANSITIONS[job.state][kind] is not lifecycle.ILLEGAL:
                    yield self._event(row, kind, attempt=job.attempt)

    def _of_the_plan(self, world: World) -> Iterator[Callable[[Tx], object]]:
        """What the lab itself does: look at results, put them together, end the plan at its deadline."""
        parent, latest = world.jobs[0], _latest(world)
        if parent.job.state is not JobState.BLOCKED:
            return
        going = [one for one in latest if one.state not in ENDED]
        if parent.job.waits_for > 1 or not going:
            yield self._event(parent, EventKind.DEPENDENCY_FAILED)
        if parent.job.waits_for > 1:
            return
        unseen = [one for one in latest if one.state is _S.EXECUTED and one.observed_esp is None]
        for esp in (1.0, *((0.5,) if self.rules.poor else ())) if unseen else ():
            yield lambda tx, esp=esp: self._observe(tx, unseen, esp)
        if not unseen and not going:
            yield self._event(parent, EventKind.ASSEMBLED)
        for one in going:  # the deadline
            yield self._event(next(row for row in world.jobs if row.id == one.child_id), EventKind.CANCEL_REQUESTED)

    def _observe(self, tx: Tx, unseen: list[Reservation], esp: float) -> None:
        for one in unseen:
            tx.places[one.id] = replace(one, observed_esp=esp)
        Quality.again(self._quality, tx, PARENT, self.plan, None)  # type: ignore[arg-type]

    def _event(self, row: Row, kind: EventKind, **about: Any) -> Callable[[Tx], object]:
        event = Event(kind=kind, at=AT, busy_s=BUSY_S, **about)
        return lambda tx: tx.carry_out(row, lifecycle.advance(row.job, event))


def _frozen(tx: Tx) -> World:
    parent, *others = tx.jobs.values()
    places_ = tuple(replace(one, reason="", expires_at=AT) for one in tx.sorted())
    return World((parent, *sorted(others, key=lambda row: row.id)), places_)


def _latest(world: World) -> list[Reservation]:
    return list({one.fragment: one for one in world.places}.values())


def complaints(old: World, new: World) -> Iterator[str]:
    """Which promises this step breaks."""
    was = {row.id: row for row in old.jobs}
    open_places = [one for one in new.places if one.state not in ENDED]
    for row in new.jobs:
        job, before = row.job, was.get(row.id)
        if before is not None and before.job.state.final and row != before:
            yield "a job that has ended changed"
        charges = sum(one.child_id == job.id for one in new.places)  # what it used where it failed, and where not
        flaw = ledger.flaw(row.lines, final=job.state.final, charges=charges) if row.parent is not None else None
        if flaw is not None:
            yield flaw
        own = [one for one in open_places if one.child_id == job.id]
        if len(own) > 1:
            yield "a fragment has two places at once"
        if job.state in _PLACED and row.parent is not None and [(one.state, one.qpu) for one in own] != [
            (_S.COMMITTED, job.qpu)
        ]:  # fmt: skip
            yield "a fragment may run without a place"
        if job.state is JobState.BLOCKED and row.parent is not None and not own:
            yield "a fragment waits for nothing"
        if job.state.final and own:
            yield "a place is left behind"
    parent, of = new.jobs[0].job, {row.id: row.job.state for row in new.jobs}
    if parent.state.final and open_places:
        yield "a place is left behind"
    if len(new.jobs) > 1 + 2 * len(_latest(new)):
        yield "a fragment was measured again twice"
    if parent.state is JobState.COMPLETED:
        for index in {one.fragment for one in new.places}:
            counts = used([one for one in new.places if one.fragment == index])
            if counts.state is not _S.EXECUTED or of[counts.child_id] is not JobState.COMPLETED:
                yield "a plan completed without a fragment's result"
