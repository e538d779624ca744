"""Plans that are submitted: checked like any job, and written with all their fragments, or with none."""

from __future__ import annotations

import hashlib

import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core import (
    Conflict,
    Forbidden,
    NotFound,
    Permission,
    Principal,
    Rejected,
    allows,
    existing,
    limited,
    require_quota,
)
from qpi_jupyter.core.families import require_size
from qpi_jupyter.wire.plans import PlanAndRunIn, PlanJobIn
from qpi_server.service.base import Context, Tx
from qpi_server.service.lifecycle import PlaceWanted
from qpi_server.service.links import Links
from qpi_server.service.storage import Disk
from qpi_server.service.submit import check_key, come_before
from qpi_server.store import JobRecord, jobs, reservations
from qpi_server.store.reservations import PlanJobRow

from .beginning import Fragments, Wanted, add_parent, deadline, parent_record, stored
from .planning import PlanService
from .stored import StoredPlan, staleness, stored_plan

_encode = msgspec.json.Encoder(order="sorted").encode


class Submits:
    """Makes the jobs that run plans."""

    def __init__(self, context: Context, links: Links, planning: PlanService) -> None:
        self._context, self._config, self._db, self._links = context, context.config, context.db, links
        self._planning, self._disk = planning, Disk(context)

    async def submit(
        self, principal: Principal, plan_id: str, wanted: PlanJobIn, *, key: str | None = None
    ) -> tuple[str, bool]:
        """The id of the job that runs a plan, and whether this call made it; on disk when it returns.

        Raises
        ------
        NotFound
            there is no such plan.
        Conflict
            the plan is under way; it is stale, and that was not to be mended; or other plans hold the places.
        """
        self._admit(principal, key)
        fingerprint = hashlib.sha256(_encode((plan_id, wanted))).hexdigest()
        if (known := await self._known(principal, key, fingerprint)) is not None:
            return known, False
        found = await self._stored(principal.name, plan_id)
        if (stale := staleness(self._context.qpus, found.plan)) is not None:
            if wanted.stale == "refuse":
                raise stale
            made = await self._planning.make(principal, found.parts.source, found.plan.request)
            await self._planning.keep(principal.name, made)
            plan_id, found = made.plan.plan_id, StoredPlan(made.plan, made.parts)
        about = Wanted(
            principal=principal, labels=wanted, program=stored(found.parts.source), shots=found.plan.request.shots,
            deadline_s=found.plan.request.deadline_s,
        )  # fmt: skip
        at = self._context.now()
        record = parent_record(self._context, about, found.plan.fragments[0].choices[0].qpu, at)
        fragments = Fragments(self._context, self._links, found.plan, found.parts)

        def unit(tx: Tx) -> tuple[str, bool]:
            if key is not None and (known := come_before(tx.connection, principal.name, key, fingerprint)) is not None:
                return known.id, False
            if (other := reservations.running(tx.connection, principal.name, plan_id)) is not None:
                raise Conflict(
                    f"This plan is under way as job {other}. Wait for that job, or cancel it, to run the plan again.",
                    code="plan_running", job_id=other,
                )  # fmt: skip
            self._require_quota(tx.connection, principal, len(found.plan.fragments))
            chosen = fragments.choose(tx, record.id)
            parent = self._add(tx, record, about, found.plan.request, plan_id)
            fragments.add(tx, parent, chosen)
            if key is not None:
                jobs.add_key(tx.connection, principal.name, key, fingerprint, record.id, tx.at)
            return record.id, True

        return await self._db.write(unit, at=at)

    async def plan_and_run(
        self, principal: Principal, wanted: PlanAndRunIn, *, key: str | None = None
    ) -> tuple[str, bool]:
        """The id of a job whose plan is yet to be made, and whether this call made it; on disk when it returns."""
        self._admit(principal, key)
        fingerprint = hashlib.sha256(_encode(wanted)).hexdigest()
        if (known := await self._known(principal, key, fingerprint)) is not None:
            return known, False
        program, asked = wanted.plan.to_program(), wanted.plan.to_request()
        self._planning.check(program)
        names = asked.qpus or tuple(self._context.qpus.names)
        if not names:
            raise Rejected("The lab has no QPU to plan with.", code="no_target")
        about = Wanted(
            principal=principal, labels=wanted, program=stored(program), shots=asked.shots, deadline_s=asked.deadline_s
        )
        at = self._context.now()
        record = parent_record(self._context, about, self._context.qpus.get(names[0]).name, at)

        def unit(tx: Tx) -> tuple[str, bool]:
            if key is not None and (known := come_before(tx.connection, principal.name, key, fingerprint)) is not None:
                return known.id, False
            self._require_quota(tx.connection, principal, 0)
            self._add(tx, record, about, asked, None)
            tx.tell(PlaceWanted(record.id))
            if key is not None:
                jobs.add_key(tx.connection, principal.name, key, fingerprint, record.id, tx.at)
            return record.id, True

        return await self._db.write(unit, at=at)

    def _admit(self, principal: Principal, key: str | None) -> None:
        if not allows(principal, Permission.JOBS_SUBMIT):
            raise Forbidden("You don't have permission to submit jobs.", code="forbidden")
        if key is not None:
            check_key(key)
        if limited(principal):
            self._disk.require_space()

    async def _known(self, principal: Principal, key: str | None, fingerprint: str) -> str | None:
        if key is None:
            return None
        known = await self._db.read(lambda c: come_before(c, principal.name, key, fingerprint))
        return None if known is None else known.id

    def _require_quota(self, connection: Connection, principal: Principal, fragments: int) -> None:
        require_size(fragments + 1)
        most = self._config.quotas.max_queued_jobs if limited(principal) else None
        if most is not None:
            require_quota(
                jobs.waiting(connection, principal.name, most) + fragments, most, "waiting jobs",
                "wait until some have run, or cancel some", code="too_many_queued", setting="max_queued_jobs",
            )  # fmt: skip

    def _add(self, tx: Tx, record: JobRecord, about: Wanted, asked: object, plan_id: str | None) -> JobRecord:
        parent = add_parent(tx, record, about.program)
        row = PlanJobRow(
            job_id=record.id, owner=record.job.owner, request=msgspec.to_builtins(asked), plan_id=plan_id,
            deadline_at=deadline(tx.at, about.deadline_s),
        )  # fmt: skip
        reservations.add_job(tx.connection, row)
        return parent

    async def _stored(self, owner: str, plan_id: str) -> StoredPlan:
        found = await self._db.read(lambda connection: stored_plan(connection, owner, plan_id))
        return existing(found, NotFound(f"You have no plan {plan_id!r}: plan the circuit again.", code="unknown_plan"))
