"""A plan as it runs: its fragments' jobs, their places and their attempts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core.plans import Plan
from qpi_jupyter.core.reservations import Reservation, quality, used
from qpi_jupyter.wire.plans import AttemptModel, FragmentRun, PlanModel, PlanRun, ReservationModel
from qpi_server.service.lifecycle import job_error
from qpi_server.store import JobRecord, attempts, families, plans, reservations

from .stored import plan_of


def plan_run(connection: Connection, record: JobRecord) -> PlanRun | None:
    """The plan that a job runs; None for one that runs none."""
    row = reservations.plan_job(connection, record.id)
    if row is None:
        return None
    stored = None if row.plan_id is None else plans.find(connection, row.owner, row.plan_id)
    cost_s = families.cost_s(connection, record.job)
    if stored is None:
        return PlanRun(job_id=record.id, plan=None, fragments=[], deadline_at=row.deadline_at, cost_s=cost_s)
    plan = plan_of(stored)
    return PlanRun(
        job_id=record.id, plan=PlanModel.of(plan, stored.owner, stored.created_at),
        fragments=fragment_runs(connection, record.id, plan), deadline_at=row.deadline_at, cost_s=cost_s,
    )  # fmt: skip


def fragment_runs(connection: Connection, job_id: str, plan: Plan) -> list[FragmentRun]:
    """How the fragments of a plan do, in their order."""
    by_fragment: defaultdict[int, list[Reservation]] = defaultdict(list)
    for one in reservations.of_job(connection, job_id):
        by_fragment[one.fragment].append(one)
    ids = list({one.child_id: None for own in by_fragment.values() for one in own})
    children = families.named(connection, ids)
    tried = attempts.of_jobs(connection, ids)
    return [
        _run(plan, own, children[used(own).child_id], tried)
        for own in by_fragment.values()
        if used(own).child_id in children
    ]


def _run(
    plan: Plan, own: Sequence[Reservation], child: JobRecord, tried: Mapping[str, Sequence[attempts.AttemptRow]]
) -> FragmentRun:
    last, job = used(own), child.job
    best, jobs = quality(last), list(dict.fromkeys(one.child_id for one in own))
    return FragmentRun(
        index=last.fragment, job_id=child.id, qpu=job.qpu,
        status=job.state.status,  # type: ignore[arg-type]  # one of the Literal's words
        phase=job.phase,  # type: ignore[arg-type]
        fallback=job.qpu != plan.fragments[last.fragment].choices[0].qpu, esp=last.esp,
        observed_esp=last.observed_esp, repeated=len(jobs) > 1,
        below=best is not None and best < plan.request.min_fidelity,
        reservations=msgspec.convert(own, list[ReservationModel], from_attributes=True),
        attempts=[
            msgspec.convert({**one._asdict(), "outcome": one.outcome or "", "job_id": each}, AttemptModel)
            for each in jobs
            for one in tried.get(each, ())
        ],
        error=None if job.error is None else job_error(job.error),
    )  # fmt: skip
