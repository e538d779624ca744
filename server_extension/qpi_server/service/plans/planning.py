"""Plans: the QPUs as they are now, what a child process finds of the circuit, and the decision, which is kept."""

from __future__ import annotations

import hashlib
import logging
import math
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core import (
    Manifest,
    NotFound,
    Principal,
    Program,
    QpiError,
    Rejected,
    Role,
    RunOptions,
    Unavailable,
    check_program,
    existing,
    limited,
    pack,
    unpack,
)
from qpi_jupyter.core.capabilities import stale
from qpi_jupyter.core.planning import Candidate, Study, Way, make_plan
from qpi_jupyter.core.plans import Plan, PlanRequest
from qpi_jupyter.core.reservations import Compiled
from qpi_jupyter.wire.plans import PlanIn, PlanModel
from qpi_server.service.base import NO_PROCESS, Context, Qpu, Turns, Tx, Worker
from qpi_server.service.links import Links, states
from qpi_server.store import JobRecord, PlanRow, bench, jobs, plans
from qpi_server.store.load import loads
from qpi_server.store.view import calendar

from .parts import FORMAT, Parts
from .stored import plan_of

log = logging.getLogger(__name__)
CHILD = "qpi_executors.planning"
IDLE_S = 300.0
"""So long the child is kept: loading Qiskit takes longer than most studies."""
TIMEOUT_S = 60.0
"""Of a study."""
CHILDREN = 2
"""Studies at once, of different people: who plans a heavy circuit keeps one child, and everybody else the other."""
OWN = ":lab"
"""In whose name the lab itself asks; no person has such a name."""
KEPT = 100
"""Plans of a person that no job runs."""
WAIT_STEP_S, LATENCY_STEP_S = 10.0, 0.1
"""Waits are rounded up and round trips down to whole steps: a plan made again a moment later is the same."""
REP_DELAY_S = 250e-6
"""Between two shots of an instrument, where its manifest does not say: IBM's default."""


class Gathered(NamedTuple):
    """The QPUs that may be planned with, and what they can do, by the names of their targets."""

    candidates: list[Candidate]
    targets: dict[str, msgspec.Raw]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A plan, and what it runs."""

    plan: Plan
    parts: Parts


class _Answered(msgspec.Struct, kw_only=True):
    """What the child says; the blobs of the study come beside it."""

    study: Study | None = None
    compiled: Compiled | None = None
    error: dict[str, Any] | None = None


class _Target(NamedTuple):
    """What a manifest comes to, remembered for as long as it is that manifest."""

    manifest: Manifest
    name: str
    raw: msgspec.Raw


class PlanService:
    """Makes plans, and gives them out."""

    def __init__(self, context: Context, links: Links) -> None:
        self._context, self._links = context, links
        self._workers = [Worker(CHILD, context.clock, idle_s=IDLE_S) for _ in range(CHILDREN)]
        self._free = self._workers.copy()
        """The last one is asked first: one that has loaded its libraries."""
        self._turns = Turns("planning", places=CHILDREN)
        self._targets: dict[str, _Target] = {}

    async def plan(self, principal: Principal, request: PlanIn) -> PlanModel:
        """The cheapest plan for a circuit, with the alternatives; it is kept under its id.

        Raises
        ------
        Rejected, TooLarge
            the circuit is wrong, a QPU that was named cannot be used, or no way is left (``infeasible``, with figures).
        NotFound
            a QPU that was named is not there.
        TooMany
            too many plans of ``principal`` are under way.
        Unavailable
            the study did not come to an end: ask again later.
        """
        made = await self.make(principal, request.to_program(), request.to_request())
        return PlanModel.of(made.plan, principal.name, await self.keep(principal.name, made))

    async def make(self, principal: Principal, program: Program, request: PlanRequest, *, free: bool = False) -> Made:
        """A plan that is not kept; as `plan`. ``free``: any number of these may wait for their turn."""
        self.check(program)
        gathered = await self._gather(principal, request)
        async with self._turns.turn(principal.name, free=free or not limited(principal)):
            study, blobs = await self._study(program, request, gathered.targets)
        plan, way = make_plan(request, study, gathered.candidates)
        return _made(plan, way, blobs, program)

    async def again(self, owner: str, record: JobRecord, request: dict[str, Any]) -> Made:
        """A plan, which is not kept, for a job that was submitted without one, in the name of its owner; as `plan`."""
        packed = await self._context.db.read(lambda connection: jobs.program(connection, record.program_sha256))
        assert packed is not None, "a program is there as long as its job"
        person = Principal(name=owner, roles=frozenset({Role.USER}))
        asked = msgspec.convert(request, PlanRequest)
        program = Program(
            format=record.format, sources=unpack(packed), options=RunOptions(shots=asked.shots)
        )  # fmt: skip
        return await self.make(person, program, asked, free=True)  # the job was admitted with its owner's others

    def check(self, program: Program) -> None:
        """Refuse what can be refused without reading the circuit; as `core.check_program`."""
        check_program(program, self._context.qpus.format(program.format), max_shots=self._context.config.max_shots)

    async def keep(self, owner: str, made: Made) -> datetime:
        """Store a plan; when that was. Where it was made before, it is the same row."""
        packed, doc = made.parts.packed(), msgspec.to_builtins(made.plan)

        def unit(tx: Tx) -> datetime:
            row = PlanRow(plan_id=made.plan.plan_id, owner=owner, doc=doc, created_at=tx.at)
            plans.add(tx.connection, row, packed, keep=KEPT)
            return tx.at

        return await self._context.db.write(unit)

    async def get(self, principal: Principal, plan_id: str) -> PlanModel:
        """A plan of one's own.

        Raises
        ------
        NotFound
            there is none of that id.
        """
        row = existing(
            await self._context.db.read(lambda connection: plans.find(connection, principal.name, plan_id)),
            NotFound(f"You have no plan {plan_id!r}: plan the circuit again.", code="unknown_plan"),
        )
        return PlanModel.of(plan_of(row), row.owner, row.created_at)

    async def compiled(self, fragment: Program, manifest: Manifest, seed: int) -> Compiled | None:
        """What a fragment becomes on a QPU of that manifest; None where nothing can be said of it."""
        head = {
            "format": fragment.format, "request": PlanRequest(seed=seed), "targets": {"": _bare(manifest)},
            "compile": True,
        }  # fmt: skip
        try:
            async with self._turns.turn(OWN, free=True):
                answer = await self._ask(pack((msgspec.json.encode(head), *fragment.sources)))
        except (TimeoutError, Unavailable) as error:
            log.warning("a fragment was not compiled: %s", error)
            return None
        return msgspec.json.decode(unpack(answer)[0], type=_Answered).compiled

    async def close(self) -> None:
        """End the children."""
        for worker in self._workers:
            await worker.close()

    async def _study(
        self, program: Program, request: PlanRequest, targets: dict[str, msgspec.Raw]
    ) -> tuple[Study, tuple[bytes, ...]]:
        asked = msgspec.json.encode({"format": program.format, "request": request, "targets": targets})
        try:
            answer = await self._asked(pack((asked, *program.sources)))
        except TimeoutError as error:
            raise Rejected(
                f"The circuit was not planned within {TIMEOUT_S:g} s: use a smaller one, or name fewer QPUs (qpus).",
                code="too_complex",
            ) from error
        head, *blobs = unpack(answer)
        answered = msgspec.json.decode(head, type=_Answered)
        if answered.error is not None:
            raise QpiError.from_bench(answered.error)
        if answered.study is None:
            raise Unavailable("The circuit was not planned: try again in a moment.", code="no_study")
        return answered.study, tuple(blobs)

    async def _ask(self, question: bytes) -> bytes:
        """A child's answer; whoever has a turn has a child."""
        worker = self._free.pop()
        try:
            return await worker.ask(question, timeout_s=TIMEOUT_S)
        finally:
            self._free.append(worker)

    async def _asked(self, question: bytes) -> bytes:
        """The child's answer. What ends it twice would end it again: the circuit is refused for that.

        Raises
        ------
        TimeoutError
            it took too long.
        """
        try:
            return await self._ask(question)
        except Unavailable as error:
            if error.code == NO_PROCESS:
                raise
            log.warning("the process that plans ended, and is asked again: %s", error)
        try:
            return await self._ask(question)
        except Unavailable as error:
            raise Rejected(
                "The circuit was not planned: it needs more memory than planning has. Use a smaller one.",
                code="too_complex",
            ) from error

    async def _gather(self, principal: Principal, request: PlanRequest) -> Gathered:
        """The QPUs that may be planned with.

        Raises
        ------
        NotFound, Rejected
            one that was named is not there, or cannot be used now.
        """
        wanted = [self._context.qpus.get(name) for name in request.qpus] or list(self._context.qpus)
        now = self._context.now()

        def query(connection: Connection) -> list[tuple[Qpu, Candidate | str]]:
            rows = {row.name: row for row in bench.qpu_cards(connection)}
            how, many = states(connection, self._links, now, rows.values()), loads(connection)
            found: list[tuple[Qpu, Candidate | str]] = []
            for qpu in (qpu for qpu in wanted if qpu.name in rows):
                state = how[qpu.name]
                problem = self._problem(qpu) if state.open else f"it is {state.words}"
                if problem:
                    found.append((qpu, problem))
                    continue
                places = max(1, self._links.places(qpu.name))
                wait_s = rows[qpu.name].queued_s / places + _booked_s(connection, principal, qpu.name, now)
                candidate = self._candidate(qpu, places, sum(many[qpu.name]) / places, wait_s)
                found.append((qpu, candidate))
            return found

        found = await self._context.db.read(query)
        for qpu, problem in found:
            if request.qpus and isinstance(problem, str):
                raise Rejected(
                    f"{qpu.name} cannot be planned with: {problem}.", code="qpu_unavailable", field="qpus", qpu=qpu.name
                )
        candidates = [one for _, one in found if isinstance(one, Candidate)]
        return Gathered(candidates, {one.target: self._targets[one.qpu].raw for one in candidates})

    def _problem(self, qpu: Qpu) -> str:
        """Why an open QPU is no candidate; empty: it is one."""
        if qpu.manifest is None:
            return "its driver has not said what it can do"
        if FORMAT not in qpu.manifest.formats:
            return f"it does not run {FORMAT}"
        heard_at, now = self._links.heard_at(qpu.name), self._context.now()
        if stale(heard_at, now, self._context.config.heartbeat_s):
            silent = "" if heard_at is None else f" for {(now - heard_at).total_seconds():.0f} s"
            return f"its driver has not reported{silent}"
        return ""

    def _candidate(self, qpu: Qpu, places: int, load: float, wait_s: float) -> Candidate:
        assert qpu.manifest is not None
        target = self._target(qpu.name, qpu.manifest)
        return Candidate(
            qpu=qpu.name, target=target.name, calibration_id=qpu.manifest.calibration_id,
            num_qubits=qpu.manifest.num_qubits, places=places, load=load,
            wait_s=WAIT_STEP_S * math.ceil(wait_s / WAIT_STEP_S),
            latency_s=LATENCY_STEP_S * math.floor((self._links.latency_s(qpu.name) or 0.0) / LATENCY_STEP_S),
            rep_delay_s=0.0 if qpu.simulator else REP_DELAY_S,
        )  # fmt: skip

    def _target(self, name: str, manifest: Manifest) -> _Target:
        known = self._targets.get(name)
        if known is None or known.manifest is not manifest:
            raw = msgspec.json.encode(_bare(manifest))
            digest = hashlib.sha256(raw).hexdigest()[:16]
            known = self._targets[name] = _Target(manifest, digest, msgspec.Raw(raw))
        return known


def _bare(manifest: Manifest) -> Manifest:
    """What of a manifest a circuit's figures depend on."""
    return replace(
        manifest, executor="", executor_version="", formats=(), format_facts=(), options=(), option_schemas={},
        calibration_id="", calibrated_at=None, config_sha256="", description="",
    )  # fmt: skip


def _booked_s(connection: Connection, principal: Principal, qpu: str, now: datetime) -> float:
    """How long the QPU is somebody else's (seconds)."""
    booking, _ = calendar(connection, qpu, now)
    return 0.0 if booking is None or booking.admits(principal.name) else (booking.end_at - now).total_seconds()


def _made(plan: Plan, way: Way, blobs: tuple[bytes, ...], program: Program) -> Made:
    programs = tuple(blobs[part.program] for part in way.parts)
    return Made(plan=plan, parts=Parts(recipe=blobs[way.recipe], programs=programs, source=program))
