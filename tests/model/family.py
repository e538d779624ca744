"""A lab of a few jobs that wait for one another, small enough to visit every state they can get into.

The jobs are the product's own, moved by its `advance` and spread through the family by its `spread`; each has a ledger
of its own. What one job does with its drivers is `tests.model.lab`'s: here an attempt begins and ends in one step, and
also reports late. A server that dies loses whatever is not in the transaction.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from qpi_jupyter.core import families, lifecycle
from qpi_jupyter.core.jobs import Job, JobState
from qpi_jupyter.core.lifecycle import Event, EventKind, Step
from tests.support import ledger
from tests.support.ledger import AT, BUSY_S, Entries

Advance = Callable[[Job, Event], Step]
OPEN = (JobState.ASSIGNED, JobState.RUNNING, JobState.CANCELLING)
LOST = (JobState.FAILED, JobState.CANCELLED)
ENDS = (EventKind.RELEASED, EventKind.RESULT_STORED, EventKind.ERRORED, EventKind.INTERRUPTED, EventKind.ABORTED)
"""The first attempt may be given back, later ones not: else there were any number of them."""


class World(NamedTuple):
    """The rows of the jobs, and their ledgers."""

    jobs: tuple[Job, ...]
    ledgers: tuple[Entries, ...]
    pending: tuple[int, ...] = ()
    """The last job that changed, where its family does not hear of it in the same transaction."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The family, and the server under test: the product, or a mutant of it."""

    needs: tuple[tuple[int, ...], ...]
    """For each job, the earlier ones that it waits for."""
    parents: dict[int, int] = field(default_factory=dict)
    """From a child to its parent, which waits for it."""
    tries: int = 2
    """Tries already used up: smaller worlds, the same rules."""
    cancels: bool = True
    advance: Advance = lifecycle.advance
    claimable: tuple[JobState, ...] = (JobState.QUEUED,)
    at_once: bool = True
    """Whether the family hears of a change in the same transaction."""

    def start(self) -> World:
        jobs: list[Job] = []
        for n, needs in enumerate(self.needs):
            count = families.waits_for(jobs[i] for i in needs)
            state = JobState.BLOCKED if count else JobState.QUEUED
            jobs.append(
                Job(id=str(n), owner="ada", qpu="q", state=state, waits_for=count, tries=self.tries, family="f")
            )
        return World(tuple(jobs), (ledger.opening(),) * len(jobs))


class Explorer:
    """Visits every world that can be reached, breadth first, and collects what is wrong with it."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.violations: set[str] = set()
        self.before: dict[World, list[World]] = {rules.start(): []}

    def run(self, *, stop_at_first: bool = False) -> Explorer:
        todo = deque(self.before)
        while todo and not (stop_at_first and self.violations):
            world = todo.popleft()
            for after in self.successors(world):
                if after == world:
                    continue
                self.violations |= set(self.complaints(world, after))
                if after not in self.before:
                    self.before[after] = []
                    todo.append(after)
                self.before[after].append(world)
        return self

    def stuck(self) -> int:
        """How many worlds can never come to an end of every job."""
        good = {world for world in self.before if all(job.state.final for job in world.jobs)}
        todo = list(good)
        while todo:
            fresh = set(self.before[todo.pop()]) - good
            good |= fresh
            todo += fresh
        return len(self.before) - len(good)

    def successors(self, world: World) -> Iterator[World]:
        for n, job in enumerate(world.jobs):
            if job.state in self.rules.claimable:
                yield self._event(world, n, EventKind.ASSIGNED)
            if self.rules.cancels and not job.state.final:
                yield self._event(world, n, EventKind.CANCEL_REQUESTED)
            if job.state in OPEN:
                yield self._step(world, n, lifecycle.lease_expired(job, AT))
            if job.attempt and job.state is not JobState.BLOCKED:
                yield self._event(world, n, EventKind.STARTED, job.attempt)
                for kind in ENDS[job.attempt > 1 :]:
                    if lifecycle.TRANSITIONS[job.state][kind] is not lifecycle.ILLEGAL:
                        yield self._event(world, n, kind, job.attempt)
        if world.pending:
            yield self._spread(world._replace(pending=()), world.pending[0])
            yield world._replace(pending=())  # the server dies

    def _event(self, world: World, n: int, kind: EventKind, attempt: int | None = None) -> World:
        event = Event(kind=kind, at=AT, attempt=attempt, busy_s=BUSY_S)
        return self._step(world, n, self.rules.advance(world.jobs[n], event))

    def _step(self, world: World, n: int, step: Step) -> World:
        after = self._write(world, n, step)
        if after.jobs[n].state is world.jobs[n].state:
            return after
        return self._spread(after, n) if self.rules.at_once else after._replace(pending=(n,))

    def _write(self, world: World, n: int, step: Step) -> World:
        job = step.job.with_(error=None)
        lines = ledger.post(world.ledgers[n], step.effects)
        return world._replace(
            jobs=(*world.jobs[:n], job, *world.jobs[n + 1 :]),
            ledgers=(
                *world.ledgers[:n],
                tuple(sorted(lines, key=lambda e: (e.attempt, e.kind))),
                *world.ledgers[n + 1 :],
            ),
        )

    def _spread(self, world: World, n: int) -> World:
        rules = self.rules

        def waiting(job: Job) -> list[Job]:
            return [other for other, needs in zip(world.jobs, rules.needs, strict=True)
                    if int(job.id) in needs and other.state is JobState.BLOCKED]  # fmt: skip

        def children(job: Job) -> list[Job]:
            mine = [world.jobs[child] for child, parent in rules.parents.items() if parent == int(job.id)]
            return [child for child in mine if not child.state.final]

        def advance(job: Job, event: Event) -> Job:
            nonlocal world
            world = self._write(world, int(job.id), rules.advance(job, event))
            return world.jobs[int(job.id)]

        families.spread(world.jobs[n], AT, waiting=waiting, children=children, advance=advance)
        return world

    def complaints(self, old: World, new: World) -> Iterator[str]:
        """Which promises this step breaks."""
        for n, (before, after) in enumerate(zip(old.jobs, new.jobs, strict=True)):
            needed = [new.jobs[i] for i in self.rules.needs[n]]
            if before.state.final and after != before:
                yield "a final job changed"
            if after.attempt and any(job.state is not JobState.COMPLETED for job in needed):
                yield "a job was given to a driver before those that it needs were completed"
            if (flaw := ledger.flaw(new.ledgers[n], final=after.state.final)) is not None:
                yield flaw
            if not after.attempt and after.state.final and sum(e.amount_s for e in new.ledgers[n]):
                yield "a job that never ran was charged"
            if new.pending:
                continue  # the rest is yet to be said
            if any(job.state in LOST for job in needed) and after.state not in LOST:
                yield "a job still waits for one that has no result"
            if after.state is JobState.BLOCKED and all(job.state is JobState.COMPLETED for job in needed):
                yield "a job waits for nothing"
            parent = self.rules.parents.get(n)
            if parent is not None and new.jobs[parent].state in LOST and not _ending(after):
                yield "a child goes on without its parent"


def _ending(job: Job) -> bool:
    return job.state.final or job.state is JobState.CANCELLING
