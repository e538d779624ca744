"""Plans as they are stored, and whether one is still for the QPUs as they are."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core import Conflict
from qpi_jupyter.core.plans import Plan
from qpi_server.service.base import Qpus
from qpi_server.store import PlanRow, plans, reservations

from .parts import Parts


class StoredPlan(NamedTuple):
    """A plan and what it runs."""

    plan: Plan
    parts: Parts


def plan_of(row: PlanRow) -> Plan:
    """The plan of a row."""
    return msgspec.convert(row.doc, Plan)


def stored_plan(connection: Connection, owner: str, plan_id: str) -> StoredPlan | None:
    """The plan of that id, if it is theirs."""
    row, packed = plans.find(connection, owner, plan_id), plans.parts(connection, owner, plan_id)
    return None if row is None or packed is None else StoredPlan(plan_of(row), Parts.read(packed))


def plan_of_job(connection: Connection, job_id: str) -> Plan | None:
    """The plan that a job runs, as far as it is made."""
    row = reservations.plan_job(connection, job_id)
    found = None if row is None or row.plan_id is None else plans.find(connection, row.owner, row.plan_id)
    return None if found is None else plan_of(found)


def staleness(qpus: Qpus, plan: Plan) -> Conflict | None:
    """Why a plan is not for the QPUs as they are now."""
    for choice in (fragment.choices[0] for fragment in plan.fragments):
        manifest = qpus.get(choice.qpu).manifest if choice.qpu in qpus else None
        now = "" if manifest is None else manifest.calibration_id
        if manifest is None or now != choice.calibration_id:
            return Conflict(
                f"The plan was made for calibration {choice.calibration_id or 'none'} of {choice.qpu}, which has "
                f"{now or 'none'} now. Plan the circuit again, or submit with stale=\"replan\".",
                code="stale_plan", qpu=choice.qpu, planned=choice.calibration_id, current=now,
            )  # fmt: skip
    return None
