"""From a request to a stored job: checked before it is written, acknowledged on disk, once for an idempotency key."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core import (
    BUILT_IN,
    PROGRAM_FAULTS,
    Conflict,
    Estimate,
    Forbidden,
    Job,
    JobState,
    NotFound,
    Permission,
    Principal,
    Program,
    Prospect,
    QpiError,
    QpuStatus,
    Rejected,
    RetryPolicy,
    TooLarge,
    allows,
    check_fit,
    check_program,
    group_account,
    limited,
    pack,
    programs,
    require_quota,
)
from qpi_jupyter.core.trust import require_trust
from qpi_jupyter.wire.events import JobSubmitted
from qpi_jupyter.wire.faultpoint import reach
from qpi_jupyter.wire.frames import MAX_OPTIONS_BYTES
from qpi_jupyter.wire.jobs import SubmitRequest
from qpi_jupyter.wire.rest import OptionsIn
from qpi_server.service.accounts import set_aside
from qpi_server.service.base import Context, Qpu, Tx, require_present
from qpi_server.service.lifecycle import Change, Queued, hold_for, labelled, write_event
from qpi_server.service.links import Links, states
from qpi_server.service.storage import Disk
from qpi_server.store import JobRecord, bench, families, jobs
from qpi_server.store.load import loads

from .batches import Batches
from .checking import Checker, StoredProgram
from .families import Needs
from .forecast import Forecast, Tracks

_HASH_IN_THREAD = 256 << 10
MAX_KEY = 255
_encode = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class _Draft:
    """Everything that the transaction writes."""

    record: JobRecord
    program: StoredProgram
    forecast: Forecast
    fingerprint: str
    key: str | None
    needs: Needs


@dataclass(frozen=True, slots=True)
class Stored:
    """There is one more job, checked or not."""

    record: JobRecord


class Submitted(NamedTuple):
    """The job of a submit, as the commits up to now left it."""

    record: JobRecord
    created: bool
    """Whether this submit made it."""
    prospect: Prospect | None = None
    """Why it waits and until about when, where that was known when it was stored."""


class Submitter:
    """Stores jobs."""

    def __init__(self, context: Context, links: Links, checker: Checker, tracks: Tracks) -> None:
        self._context, self._config, self._db, self._metrics = context, context.config, context.db, context.metrics
        self._links, self._checker, self._tracks = links, checker, tracks
        self._batches = Batches()
        self._disk = Disk(context)
        self._answering: dict[str, JobRecord] = {}
        """The jobs whose submit is about to be answered."""
        context.commits.on(Stored, self._stored)
        context.commits.on(Change, lambda change: self._keep(change.after))

    async def submit(self, principal: Principal, request: SubmitRequest, key: str | None) -> Submitted:
        """The stored job, as it is now; see `JobService.submit`."""
        if key is not None:
            check_key(key)
        fingerprint = hashlib.sha256(_encode(request)).hexdigest() if key is not None else ""
        try:
            with self._batches.submit() as submit:
                draft = await self._draft(principal, request, key, fingerprint)
                await submit.ready()
        except QpiError as error:
            # What was accepted under this key before stays accepted, whatever the lab thinks of it now.
            if key is not None and (known := await self._known(principal, key, fingerprint)) is not None:
                return Submitted(known, created=False)
            self._metrics.refused.labels(error.code).inc()
            raise
        reach("submit_before_commit")
        allowance_s = self._config.default_allowance_s
        most = self._config.quotas.max_queued_jobs if limited(principal) else None
        self._answering[draft.record.id] = draft.record
        try:
            work = self._db.write(lambda tx: _store(tx, draft, allowance_s, most), at=draft.record.submitted_at)
            if draft.record.job.checked and not draft.needs:
                # Queued right behind the job: both share a commit, and the answer waits for neither more nor less.
                self._context.commits.tell([Queued(draft.record.job)])
            stored = await work
            if stored.created:  # the commit that stored it may have given it to a driver, too
                record = self._answering[stored.record.id]
                stored = Submitted(record, True, stored.prospect if record.job.state is JobState.QUEUED else None)
        except (Forbidden, Conflict, NotFound, TooLarge) as error:
            self._metrics.refused.labels(error.code).inc()
            raise
        finally:
            del self._answering[draft.record.id]
        reach("submit_after_commit")
        return stored

    def _stored(self, stored: Stored) -> None:
        self._keep(stored.record)
        job = stored.record.job
        self._metrics.submitted.labels(job.qpu).inc()
        self._metrics.move(job, +1)

    def _keep(self, record: JobRecord) -> None:
        if record.id in self._answering:
            self._answering[record.id] = record

    async def _known(self, principal: Principal, key: str, fingerprint: str) -> JobRecord | None:
        return await self._db.read(lambda c: come_before(c, principal.name, key, fingerprint))

    async def _draft(self, principal: Principal, request: SubmitRequest, key: str | None, fingerprint: str) -> _Draft:
        if limited(principal):
            self._disk.require_space()
        if request.priority > 0 and not allows(principal, Permission.PRIORITY_RAISE):
            raise Forbidden("A priority above 0 is for managers; leave it out.", code="priority", field="priority")
        program = request.to_program()
        check_program(program, self._context.qpus.format(program.format), max_shots=self._config.max_shots)
        account = account_of(principal, request.group)
        stored = await stored_program(program, request.options)
        await self._require_calibration(request)
        qpu, estimate = await self._target(request.qpu, program, stored, principal.name)
        # What an unchecked job is planned with.
        bound = min(self._config.job_timeout_s, self._config.unchecked_upper_s)
        at = self._context.now()
        job = Job(
            id=f"job-{secrets.token_hex(8)}",
            owner=principal.name,
            qpu=qpu.name,
            retry=RetryPolicy.SIMULATOR if qpu.simulator else RetryPolicy.HARDWARE,
            retry_safe=request.retry_safe,
            priority=request.priority,
            submitted_at=at,
            account=account,
            checked=estimate is not None,
            estimate_s=bound,
            upper_s=bound,
        )
        record = JobRecord(
            job=job,
            labels=labelled(principal, request),
            origin=msgspec.to_builtins(request.origin),
            format=program.format,
            program_sha256=stored.sha256,
            num_circuits=len(program.sources) if estimate is None else estimate.num_circuits,
            shots=program.options.shots,
            submitted_at=at,
            calibration=request.calibration,
        )
        forecast = Forecast(
            config=self._config,
            estimate=estimate,
            timeout_s=self._timeout_s(qpu.name),
            places=self._links.places(qpu.name),
            track=self._tracks[qpu.name],
        )
        return _Draft(record, stored, forecast, fingerprint, key, Needs(principal, request.after, request.children))

    async def _require_calibration(self, request: SubmitRequest) -> None:
        if (wanted := request.calibration) is None:
            return
        if request.qpu is None:
            message = "Name the QPU whose calibration this is (qpu)."
            raise Rejected(message, code="no_target", field="qpu")
        qpu = self._context.qpus.get(request.qpu)
        await self._db.read(lambda connection: require_present(connection, qpu, wanted))

    def _timeout_s(self, qpu: str) -> float:
        link = next(self._links.of(qpu), None)
        return self._config.job_timeout_s if link is None else link.timeout_s

    async def _target(
        self, name: str | None, program: Program, stored: StoredProgram, owner: str
    ) -> tuple[Qpu, Estimate | None]:
        """The QPU to run on, and the estimate, if there is one yet."""
        if name is not None:
            return await self._try(self._context.qpus.get(name), program, stored, owner)
        refused: QpiError | None = None
        for qpu in await self._choices():
            if refused is not None and refused.code != "bad_format" and next(self._links.of(qpu.name), None) is None:
                continue  # nobody there looks at the program: it would wait to hear the same
            try:
                return await self._try(qpu, program, stored, owner)
            except PROGRAM_FAULTS as error:
                if refused is None or refused.code == "bad_format":  # what takes the format knows more of the program
                    refused = error
        if refused is not None:
            raise refused
        there = ", ".join(self._context.qpus.names) or "none"
        raise Rejected(
            f"No simulator is available; name a QPU. The lab has: {there}.",
            code="no_target",
            qpus=self._context.qpus.names,
        )

    async def _try(self, qpu: Qpu, program: Program, stored: StoredProgram, owner: str) -> tuple[Qpu, Estimate | None]:
        require_fit(qpu, program)
        return qpu, await self._checker.check(qpu, stored, owner)

    async def _choices(self) -> Sequence[Qpu]:
        """Simulators, online ones first, the least busy first, the larger first; hardware only if it is alone."""
        everything = list(self._context.qpus)
        if len(everything) == 1:
            return everything
        simulators = [qpu for qpu in everything if qpu.simulator]
        now = self._context.now()
        how, many = await self._db.read(lambda c: (states(c, self._links, now, bench.qpu_cards(c)), loads(c)))

        def order(qpu: Qpu) -> tuple[bool, float, int, str]:
            busy = sum(many[qpu.name]) / max(1, self._links.places(qpu.name))
            size = qpu.manifest.num_qubits if qpu.manifest is not None else 0
            return (not how[qpu.name].open, busy, -size, qpu.name)

        there = (QpuStatus.ONLINE, QpuStatus.OFFLINE)
        return sorted((q for q in simulators if q.name in how and how[q.name].status in there), key=order)


def require_fit(qpu: Qpu, program: Program) -> None:
    """Refuse what a QPU is known not to run.

    Raises
    ------
    Conflict
        it gets no jobs, for want of trust.
    Rejected
        by its manifest, or before it has one.
    """
    require_trust(qpu.name, qpu.trust, qpu.withheld)
    if qpu.manifest is not None:
        check_fit(qpu.name, qpu.manifest, program)
    elif program.format not in BUILT_IN:
        raise Rejected(
            f"{qpu.name} has had no driver yet that runs {program.format}: start one, or name another QPU.",
            code="bad_format", field="format",
        )  # fmt: skip


def account_of(principal: Principal, group: str | None) -> str:
    """The account of a group that one belongs to; empty for one's own.

    Raises
    ------
    Forbidden
        somebody else's group.
    """
    if group is None:
        return ""
    if group in principal.groups:
        return group_account(group)
    yours = ", ".join(sorted(principal.groups)) or "none"
    raise Forbidden(
        f"The group {group!r} cannot pay for your job: you are not in it. Your groups: {yours}.",
        code="not_a_member",
        field="group",
        groups=sorted(principal.groups),
    )


async def stored_program(program: Program, given: OptionsIn) -> StoredProgram:
    """The program as it is stored.

    Raises
    ------
    TooLarge
        its run options.
    """
    options = msgspec.json.encode(given)
    if len(options) > MAX_OPTIONS_BYTES:
        raise TooLarge(
            f"The run options have {len(options):,} bytes; the limit is {MAX_OPTIONS_BYTES:,}. Send fewer "
            "parameter rows in one job, or bind them into the circuits.",
            code="options_too_large",
            bytes=len(options),
            limit=MAX_OPTIONS_BYTES,
        )

    def addressed() -> StoredProgram:
        packed = pack(program.sources)
        return StoredProgram(format=program.format, packed=packed, sha256=programs.digest(packed), options=options)

    return await asyncio.to_thread(addressed) if program.nbytes > _HASH_IN_THREAD else addressed()


def check_key(key: str) -> None:
    """Refuse what is not an Idempotency-Key: the one check of it, whatever surface it comes through.

    Raises
    ------
    Rejected
        it is empty, too long, or not printable.
    """
    if not 1 <= len(key) <= MAX_KEY or not key.isprintable():
        raise Rejected(f"An Idempotency-Key must have 1 to {MAX_KEY} printable characters.", code="bad_key")


def come_before(connection: Connection, owner: str, key: str, fingerprint: str) -> JobRecord | None:
    """The job that came with this key before.

    Raises
    ------
    NotFound
        the job was deleted.
    Conflict
        the key came with another request.
    """
    known = jobs.keyed(connection, owner, key)
    if known is None:
        return None
    record = jobs.find(connection, known[1])
    if record is None:
        raise NotFound(
            f"Job {known[1]}, which came with this Idempotency-Key, was deleted: use a new key to run it again.",
            code="job_deleted",
            job_id=known[1],
        )
    if known[0] != fingerprint:
        raise Conflict(
            "This Idempotency-Key came with another request before: use a new key for a new request.",
            code="key_reused",
            job_id=known[1],
        )
    return record


def _store(tx: Tx, draft: _Draft, allowance_s: float | None, most: int | None) -> Submitted:
    record, owner, connection, at = draft.record, draft.record.job.owner, tx.connection, tx.at
    if draft.key is not None and (known := come_before(connection, owner, draft.key, draft.fingerprint)) is not None:
        return Submitted(known, created=False)
    if most is not None:
        require_quota(
            jobs.waiting(connection, owner, most), most, "waiting jobs", "wait until some have run, or cancel some",
            code="too_many_queued", setting="max_queued_jobs",
        )  # fmt: skip
    needed: list[JobRecord] = []
    if draft.needs:
        record, needed = draft.needs.enter(connection, record)
    record, prospect = draft.forecast.promise(tx, record)
    hold = hold_for(record.job, 1, at)
    set_aside(tx, hold, allowance_s)
    jobs.add_program(connection, draft.program.sha256, draft.program.packed, at)
    seq = jobs.add(connection, record, draft.program.options)
    record = replace(record, job=record.job.with_(seq=seq))
    if needed:
        families.join(connection, record, needed, draft.needs.children)
        if record.job.state is JobState.QUEUED:
            tx.tell(Queued(record.job))
    if draft.key is not None:
        jobs.add_key(connection, owner, draft.key, draft.fingerprint, record.id, at)
    write_event(tx, JobSubmitted, record, [hold])
    tx.tell(Stored(record))
    return Submitted(record, True, prospect)
