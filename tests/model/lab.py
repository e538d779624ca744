"""A lab of one job, small enough to visit every state it can get into.

The job is the product's own `Job`, moved by the product's `advance` and its neighbours; its ledger goes through the
product's accounting. Around it stands the worst world that the design promises to survive: messages are lost, doubled
and overtaken; drivers crash, reconnect and deliver late; the server restarts; leases end at any moment.

A bench is a phase per attempt, each as if on a driver of its own, since two attempts may sit on two drivers.
What a driver remembers dies with it; only a spooled result survives.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import NamedTuple

from qpi_jupyter.core import lifecycle
from qpi_jupyter.core.jobs import Job, JobState, RetryPolicy
from qpi_jupyter.core.lifecycle import Effect, EffectKind, Event, EventKind, Step
from tests.support import ledger
from tests.support.ledger import AT, BUSY_S, Entries

UNKNOWN, STAGED, RUNNING, SPOOLED, DONE = "unknown", "staged", "running", "spooled", "done"
REPORTS = {
    "started": EventKind.STARTED,
    "result": EventKind.RESULT_STORED,
    "error": EventKind.ERRORED,
    "fault": EventKind.INTERRUPTED,
    "released": EventKind.RELEASED,
    "aborted": EventKind.ABORTED,
}
MONEY = frozenset({EffectKind.HOLD, EffectKind.SETTLE, EffectKind.REFUND})
Message = tuple[str, int]
Advance = Callable[[Job, Event], Step]
Post = Callable[[Entries, tuple[Effect, ...]], Entries]
Posted = tuple[tuple[EffectKind, int, float], ...]


class World(NamedTuple):
    """Everything there is: the server's row and ledger, the bench, and what is on its way."""

    job: Job
    entries: Entries
    bench: tuple[str, ...] = ()
    runs: tuple[int, ...] = ()
    net: frozenset[Message] = frozenset()
    results: int = 0
    releases: int = 0
    known_started: bool = False
    posted: Posted = ()
    """The ledger effects of the last step: a server that died in doubt may post them again."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The world's size, and the server under test: the product, or a mutant of it."""

    retry: RetryPolicy
    retry_safe: bool = False
    tries: int = 1
    """Tries already used up: fewer attempts, a smaller world, the same rules."""
    max_net: int = 2
    max_releases: int = 1
    cancels: bool = True
    advance: Advance = lifecycle.advance
    post: Post = ledger.post
    resend: bool = False
    """Send an attempt's assignment again while no Started came: what the design forbids."""

    def start(self) -> World:
        job = Job(
            id="j", owner="ada", qpu="q", retry=self.retry, retry_safe=self.retry_safe, tries=self.tries, upper_s=1.0
        )
        return World(job=job, entries=ledger.opening())


class Transition(NamedTuple):
    name: str
    world: World
    heard: int | None = None
    """The attempt whose message the server heard, if it heard one."""


class Explorer:
    """Visits every world that can be reached, breadth first, and collects what is wrong with it."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.violations: dict[str, tuple[str, World, World]] = {}
        self.before: dict[World, list[World]] = {rules.start(): []}
        self._post = lru_cache(maxsize=None)(self._post_uncached)

    def run(self, *, stop_at_first: bool = False) -> Explorer:
        todo = deque(self.before)
        while todo and not (stop_at_first and self.violations):
            world = todo.popleft()
            for step in self.successors(world):
                if len(step.world.net) > self.rules.max_net or step.world == world:
                    continue
                for complaint in complaints(self.rules, world, step):
                    self.violations.setdefault(complaint, (step.name, world, step.world))
                if step.world not in self.before:
                    self.before[step.world] = []
                    todo.append(step.world)
                self.before[step.world].append(world)
        return self

    def stuck(self) -> int:
        """How many worlds can never come to a final state."""
        good = {world for world in self.before if world.job.state.final}
        todo = list(good)
        while todo:
            fresh = set(self.before[todo.pop()]) - good
            good |= fresh
            todo += fresh
        return len(self.before) - len(good)

    def successors(self, world: World) -> Iterator[Transition]:
        yield from self._server(world)
        for attempt, phase in enumerate(world.bench, 1):
            yield from self._driver(world, attempt, phase)
        for message in world.net:
            rest = world._replace(net=world.net - {message})
            yield Transition("lost", rest)
            yield from self._receive(rest, message)
            yield from self._receive(world, message)  # and once more, later

    # -- the server

    def _server(self, world: World) -> Iterator[Transition]:
        job = world.job
        if job.state is JobState.QUEUED:
            after = self._event(world, EventKind.ASSIGNED)
            after = after._replace(bench=(*world.bench, UNKNOWN), runs=(*world.runs, 0))
            yield Transition("assign", _send(after, "assign", after.job.attempt))
        if self.rules.resend and job.state is JobState.ASSIGNED:
            yield Transition("assign again", _send(world, "assign", job.attempt))
        if self.rules.cancels and not job.state.final:
            yield Transition("cancel", self._event(world, EventKind.CANCEL_REQUESTED))
        if job.state in (JobState.ASSIGNED, JobState.RUNNING, JobState.CANCELLING):
            yield Transition("lease ends", self._take(world, lifecycle.lease_expired(job, AT)))
        if lifecycle.salvage_over(job, AT + timedelta(seconds=job.salvage_s)):
            yield Transition("salvage ends", self._take(world, lifecycle.left_out(job, AT)))
        links = frozenset(m for m in world.net if m[0] not in ("assign", "abort"))
        yield Transition("restart", world._replace(net=links))
        yield Transition("posts again", world._replace(entries=self._post(world.entries, world.posted)))

    def _event(self, world: World, kind: EventKind, attempt: int | None = None) -> World:
        busy_s = BUSY_S if attempt is not None and world.runs[attempt - 1] else 0.0
        step = self.rules.advance(world.job, Event(kind=kind, at=AT, attempt=attempt, busy_s=busy_s))
        stored = kind is EventKind.RESULT_STORED and step.changed
        return self._take(world, step)._replace(results=world.results + stored)

    def _take(self, world: World, step: Step) -> World:
        money = tuple((e.kind, e.attempt, e.data.get("busy_s", 0.0)) for e in step.effects if e.kind in MONEY)
        return world._replace(
            job=step.job.with_(error=None),
            entries=self._post(world.entries, money),
            posted=money or world.posted,
            net=world.net | {("abort", e.attempt) for e in step.effects if e.kind is EffectKind.ABORT},
            known_started=world.known_started or step.job.started,
        )

    def _post_uncached(self, entries: Entries, money: Posted) -> Entries:
        effects = tuple(Effect(kind=kind, attempt=n, data={"busy_s": busy_s}) for kind, n, busy_s in money)
        lines = self.rules.post(entries, effects)
        return tuple(sorted(lines, key=lambda line: (line.attempt, line.kind)))  # one world, whatever the order

    # -- the bench

    def _driver(self, world: World, n: int, phase: str) -> Iterator[Transition]:
        if phase == STAGED:
            runs = (*world.runs[: n - 1], world.runs[n - 1] + 1, *world.runs[n:])
            yield Transition("run", _send(_phase(world, n, RUNNING)._replace(runs=runs), "started", n))
            if world.releases < self.rules.max_releases:
                given_back = _phase(world, n, DONE)._replace(releases=world.releases + 1)
                yield Transition("release", _send(given_back, "released", n))
        if phase == RUNNING:
            yield Transition("finish", _phase(world, n, SPOOLED))
            yield Transition("program fails", _send(_phase(world, n, DONE), "error", n))
            yield Transition("bench fails", _send(_phase(world, n, DONE), "fault", n))
        if phase in (STAGED, RUNNING):
            yield Transition("heartbeat", self._heartbeat(world, n))
        if phase in (STAGED, RUNNING, DONE):
            yield Transition("crash", _phase(_cut(world, n), n, UNKNOWN))
        if phase == SPOOLED:
            yield Transition("upload", _send(world, "result", n))
        if n == world.job.attempt:
            yield Transition("hello", self._hello(_cut(world, n), n, phase))

    def _heartbeat(self, world: World, n: int) -> World:
        """The lab sees an attempt that it does not want any more, and says so (again)."""
        job = world.job
        unwanted = n != job.attempt or job.state.final or job.state is JobState.CANCELLING
        return _send(world, "abort", n) if unwanted else world

    def _hello(self, world: World, n: int, phase: str) -> World:
        """A new connection of the driver that has attempt ``n``: it says what it holds."""
        if world.job.state.final or world.job.state is JobState.QUEUED:
            return world
        held = {(world.job.id, n)} if phase in (STAGED, RUNNING, SPOOLED) else set()
        return self._take(world, lifecycle.on_hello(world.job, held, AT))

    # -- the network

    def _receive(self, world: World, message: Message) -> Iterator[Transition]:
        what, n = message
        phase = world.bench[n - 1]
        if what == "assign":
            if phase == UNKNOWN:
                yield Transition("assigned", _phase(world, n, STAGED))
        elif what == "abort":
            if phase in (STAGED, RUNNING, UNKNOWN):
                yield Transition("abort", _send(_phase(world, n, DONE), "aborted", n))
        else:
            heard = self._event(world, REPORTS[what], n)
            yield Transition(what, heard, heard=n)
            if what == "result" and phase == SPOOLED:
                yield Transition("result answered", _phase(heard, n, DONE), heard=n)


def _send(world: World, what: str, n: int) -> World:
    return world._replace(net=world.net | {(what, n)})


def _phase(world: World, n: int, phase: str) -> World:
    return world._replace(bench=(*world.bench[: n - 1], phase, *world.bench[n:]))


def _cut(world: World, n: int) -> World:
    """A connection ends: what was on its way to that driver never comes."""
    return world._replace(net=world.net - {("assign", n), ("abort", n)})


def complaints(rules: Rules, old: World, step: Transition) -> Iterator[str]:
    """Which promises of the design this step breaks."""
    new = step.world
    if old.job.state.final and new.job != old.job:
        yield "a final job changed"
    if new.results > 1 or (new.job.state is JobState.COMPLETED) != (new.results == 1):
        yield "not exactly one result was accepted by a completed job"
    if max(new.runs, default=0) > 1:
        yield "an attempt ran twice"
    if step.heard is not None and step.heard != old.job.attempt and (new.job, new.entries) != (old.job, old.entries):
        yield "a stale attempt changed something"
    if (complaint := ledger.flaw(new.entries, final=new.job.state.final)) is not None:
        yield complaint
    if any(new.runs[n - 1] == 0 for n, total in ledger.sums(new.entries).items() if total == -BUSY_S):
        yield "an attempt that never ran was charged"
    hardware = rules.retry is RetryPolicy.HARDWARE and not rules.retry_safe
    if step.name == "assign" and hardware and old.known_started:
        yield "an instrument was asked to repeat what it had begun"
