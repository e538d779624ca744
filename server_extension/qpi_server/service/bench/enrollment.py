"""Enrolment: somebody adds a QPU of their own, a manager decides how far the lab trusts it."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core import Conflict, Forbidden, Permission, Principal, allows, limited, require_quota
from qpi_jupyter.core.trust import TrustAction, TrustTier, tier_after
from qpi_jupyter.wire.rest import DriverIn
from qpi_jupyter.wire.services import Enrolled, Enrollment, EnrollmentAnswer, EnrollmentIn, EnrollmentList
from qpi_server.service.base import Context, Tx, require_distinct, tell_qpu, the_qpu
from qpi_server.service.links import Links, tell_state
from qpi_server.service.people import new_token
from qpi_server.store import QpuRow, bench

from .launch import registered
from .registration import enter


class EnrollmentService:
    """Requests for a QPU's place in the lab, and what managers decide."""

    def __init__(self, context: Context, links: Links) -> None:
        self._context, self._links = context, links

    async def list(self, principal: Principal) -> EnrollmentList:
        """The QPUs that somebody added or that a manager has decided about, by name: of others, for managers alone."""
        every = allows(principal, Permission.QPUS_OPERATE)

        def query(connection: Connection) -> list[Enrollment]:
            return [
                _model(row)
                for row in bench.all_qpus(connection)
                if (every and (row.contributed_by or row.trust_by)) or row.contributed_by == principal.name
            ]

        return EnrollmentList(enrollments=await self._context.db.read(query))

    async def ask(
        self, principal: Principal, request: EnrollmentIn, *, address: str, ca_fingerprint: str | None = None
    ) -> Enrolled:
        """A new QPU with a driver, which may link at once, and gets jobs once a manager approves.

        Raises
        ------
        Forbidden
            this lab takes no QPUs of its people (setting ``enrollment``).
        Conflict
            the name is taken, or was a QPU's before; or one has added as many as one may.
        """
        if not may_enroll(self._context, principal):
            raise Forbidden(
                "People cannot add QPUs of their own to this lab: ask a manager, or have the lab's setting enrollment "
                "switched on.",
                code="no_enrollment",
            )
        token, driver = new_token(), DriverIn(name=request.name, qpu=request.name)

        def unit(tx: Tx) -> tuple[QpuRow, bench.DriverRow]:
            self._require_room(tx.connection, principal, request.name)
            row = QpuRow(
                name=request.name, kind=request.kind, description=request.description, created_at=tx.at,
                num_qubits=request.num_qubits, trust=TrustTier.PUBLIC_UNTRUSTED, contributed_by=principal.name,
                trust_at=tx.at,
            )  # fmt: skip
            bench.add_qpu(tx.connection, row)
            tx.audit(principal, "qpu.enrolled", f"qpu:{row.name}", **msgspec.to_builtins(request))
            self._tell(tx, row, principal)
            return row, enter(tx, principal, driver, token)

        row, new = await self._context.db.write(unit)
        return Enrolled(
            enrollment=_model(row), driver=registered(new, token, address=address, ca_fingerprint=ca_fingerprint)
        )

    async def decide(self, principal: Principal, name: str, answer: EnrollmentAnswer) -> Enrollment:
        """Approve a QPU, reject it or put it into quarantine; any of these may follow any other.

        Without approval it gets no new jobs; those that run there go on to their end.

        Raises
        ------
        NotFound
            there is no such QPU.
        Forbidden
            it is one's own: another manager has to approve it.
        Conflict
            to reject is for QPUs that somebody added.
        """
        action = TrustAction(answer.action)
        self._context.qpus.get(name)

        def unit(tx: Tx) -> QpuRow:
            before = the_qpu(tx.connection, name)
            _require_may(principal, before, action)
            trust = tier_after(action, contributed=before.contributed_by is not None)
            bench.change_qpu(
                tx.connection, name, trust=trust.value, trust_reason=answer.reason, trust_by=principal.name,
                trust_at=tx.at,
            )  # fmt: skip
            after = the_qpu(tx.connection, name)
            tx.audit(
                principal, f"qpu.{action.value}", f"qpu:{name}", reason=answer.reason, before=before.trust.value
            )  # fmt: skip
            self._tell(tx, after, principal)
            return after

        return _model(await self._context.db.write(unit))

    def _require_room(self, connection: Connection, principal: Principal, name: str) -> None:
        if bench.was_qpu(connection, name):
            raise Conflict(
                f"There is, or was, a QPU called {name}: choose another name.", code="name_taken", field="name"
            )
        require_distinct(connection, "QPU", name)
        if limited(principal):
            require_quota(
                bench.contributed(connection, principal.name), self._context.config.quotas.max_enrollments,
                "QPUs of your own in this lab", "ask an admin to delete one", code="too_many_enrollments",
                setting="max_enrollments",
            )  # fmt: skip

    def _tell(self, tx: Tx, row: QpuRow, by: Principal) -> None:
        tell_qpu(tx, row.name)
        tell_state(tx, row.name, online=self._links.online(row.name), by=by.name, trust=row.trust)
        tx.wake(row.name)


def may_enroll(context: Context, principal: Principal) -> bool:
    """Whether somebody may add a QPU of their own: managers may, and where the lab says so everybody."""
    permission = Permission.QPUS_ENROLL if context.config.enrollment else Permission.QPUS_OPERATE
    return allows(principal, permission)


def _require_may(principal: Principal, row: QpuRow, action: TrustAction) -> None:
    own = row.contributed_by == principal.name
    if own and action is TrustAction.APPROVE and not allows(principal, Permission.QPUS_MANAGE):
        raise Forbidden(f"{row.name} is your own: another manager has to approve it.", code="own_qpu")
    if action is TrustAction.REJECT and row.contributed_by is None:
        raise Conflict(
            f"{row.name} is the lab's own: put it into quarantine, or delete it.", code="not_contributed", qpu=row.name
        )


def _model(row: QpuRow) -> Enrollment:
    return Enrollment(
        qpu=row.name, trust=row.trust, pending=row.pending,
        contributed_by=row.contributed_by, description=row.description, reason=row.trust_reason,
        decided_by=row.trust_by, at=row.trust_at,
    )  # fmt: skip
