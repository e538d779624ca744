"""Enrolment: how a node that somebody contributes comes to be trusted."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from qpi_jupyter.core import NotFound, existing
from qpi_jupyter.core import Permission as P
from qpi_jupyter.core.trust import TrustTier
from qpi_jupyter.wire.rest import Answer, DriverRegistered, Name
from qpi_jupyter.wire.services import Enrollment, EnrollmentAnswer, EnrollmentIn, TrustWord
from qpi_server.web.table import Call

from .base import API, Body, Query, coordinator
from .network import nodes

EnrollmentStatus = Literal["pending", "approved", "rejected", "quarantined"]


class Capabilities(Body):
    """What is said of a node before its driver does."""

    qubit_max: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    description: Annotated[str, Meta(max_length=1000)] = ""


class PeerIn(Body, kw_only=True):
    """``POST enrollment/peers``: the node becomes a QPU of the lab, with no trust until a manager approves it."""

    peer_id: Name
    trust_tier: Literal["user_contributed"] = "user_contributed"
    """The tier that is asked for: the lab's own nodes are registered by admins (``POST qpi/v1/qpus``)."""
    capability_summary: Capabilities = field(default_factory=Capabilities)


class PeerAction(Body, kw_only=True):
    """``POST enrollment/peers/{id}/action``."""

    action: TrustWord
    reason: Annotated[str, Meta(max_length=200)] = ""


class PeerEnrollment(Answer):
    """The enrolment of a node; ``driver`` is there in the answer that made it, with a token that is shown once."""

    id: str
    peer_id: str
    owner_user_id: str | None
    trust_tier: str
    enrollment_status: EnrollmentStatus
    capability_summary: Capabilities
    published_service_count: int
    last_seen_at: datetime | None
    updated_at: datetime | None
    reason: str
    decided_by: str | None
    driver: DriverRegistered | UnsetType = UNSET


class PeerEnrollments(Answer):
    enrollments: list[PeerEnrollment]
    total: int


class EnrollmentsQuery(Query):
    """``GET enrollment/peers``."""

    trust_tier: TrustTier | None = None
    status: EnrollmentStatus | None = None


async def _views(call: Call, found: list[Enrollment]) -> list[PeerEnrollment]:
    there = {one.qpu: one for one in await nodes(call, include_stale=True)}
    views = []
    for one in found:
        ad = there.get(one.qpu)
        views.append(
            PeerEnrollment(
                id=one.qpu, peer_id=one.qpu, owner_user_id=one.contributed_by, trust_tier=one.trust.value,
                enrollment_status=_status(one), published_service_count=0 if ad is None else len(ad.services),
                capability_summary=Capabilities(
                    qubit_max=(ad.num_qubits if ad is not None else 0) or None, description=one.description
                ),
                last_seen_at=None if ad is None else ad.seen_at, updated_at=one.at, reason=one.reason,
                decided_by=one.decided_by,
            )
        )  # fmt: skip
    return views


def _status(one: Enrollment) -> EnrollmentStatus:
    if one.trust is TrustTier.QUARANTINED:
        return "quarantined"
    if one.trust is TrustTier.PUBLIC_UNTRUSTED:
        return "pending" if one.pending else "rejected"
    return "approved"


@coordinator.route("POST", f"{API}enrollment/peers", P.QPUS_ENROLL, {201: PeerEnrollment}, body=PeerIn)
async def enroll_peer(call: Call, wanted: PeerIn) -> PeerEnrollment:
    """Contribute a node; only this answer shows the token of its driver."""
    said = wanted.capability_summary
    made = await call.lab.enrollment.ask(
        call.person,
        EnrollmentIn(name=wanted.peer_id, num_qubits=said.qubit_max, description=said.description),
        address=call.site.public_address(), ca_fingerprint=call.site.ca_fingerprint(),
    )  # fmt: skip
    [view] = await _views(call, [made.enrollment])
    view.driver = made.driver
    return view


@coordinator.route("GET", f"{API}enrollment/peers", P.QPUS_READ, {200: PeerEnrollments}, query=EnrollmentsQuery)
async def list_enrollments_of_peers(call: Call, q: EnrollmentsQuery) -> PeerEnrollments:
    """The enrolments that one may see."""
    found = (await call.lab.enrollment.list(call.person)).enrollments
    views = [
        view for view in await _views(call, found)
        if q.trust_tier in (None, view.trust_tier) and q.status in (None, view.enrollment_status)
    ]  # fmt: skip
    return PeerEnrollments(enrollments=views, total=len(views))


@coordinator.route("GET", f"{API}enrollment/peers/{{id}}", P.QPUS_READ, {200: PeerEnrollment})
async def get_enrollment_of_peer(call: Call) -> PeerEnrollment:
    """One enrolment."""
    name = call.path["id"]
    found = (await call.lab.enrollment.list(call.person)).enrollments
    one = next((one for one in found if one.qpu == name), None)
    [view] = await _views(call, [existing(one, NotFound(f"There is no enrolment of {name!r}.", code="unknown_qpu"))])
    return view


@coordinator.route("POST", f"{API}enrollment/peers/{{id}}/action", P.QPUS_OPERATE, {200: PeerEnrollment},
                   body=PeerAction)  # fmt: skip
async def decide_about_peer(call: Call, wanted: PeerAction) -> PeerEnrollment:
    """Approve, reject or quarantine a node."""
    answer = EnrollmentAnswer(action=wanted.action, reason=wanted.reason)
    [view] = await _views(call, [await call.lab.enrollment.decide(call.person, call.path["id"], answer)])
    return view
