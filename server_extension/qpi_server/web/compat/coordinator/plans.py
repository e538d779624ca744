"""Plans in the coordinator's words: fragments, each with the nodes that can run it and what that costs; and the places
that a job's fragments have asked for by themselves, looked at here by their ids, and given back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from qpi_jupyter.core import Conflict, NotFound, Principal, existing
from qpi_jupyter.core import Permission as P
from qpi_jupyter.core.planning import cost_terms, price_of_cuts
from qpi_jupyter.core.plans import Choice, Fragment
from qpi_jupyter.core.reservations import ENDED
from qpi_jupyter.wire.plans import FragmentRun, PlanModel, PlanRun, ReservationModel
from qpi_jupyter.wire.rest import Answer, Label
from qpi_server.service import Lab
from qpi_server.web.table import Call

from .base import API, Body, coordinator


class PlanFragment(Answer):
    """A part of the circuit, on its ``qubits``: it runs ``operation_ids``, places in the circuit as it was planned,
    with its gates written out, as far as the plan has them. Fragments have no dependencies: what joins them is computed
    from their results."""

    fragment_id: str
    service_type: str
    qubits: list[int]
    operation_ids: list[str]
    dependencies: list[str]
    num_circuits: int
    shots: int


class NodeCandidate(Answer):
    """A node for a fragment; the terms are weighted, and ``total_cost`` is their sum."""

    node_id: str
    total_cost: float
    latency_cost: float
    failure_risk_cost: float
    entanglement_cost: float
    load_cost: float
    fidelity: float
    """The estimated success probability."""


class Assignment(Answer):
    """The nodes of a fragment: the one that was chosen, and the others in their order."""

    fragment_id: str
    primary_node_id: str
    fallback_node_ids: list[str]
    candidates: list[NodeCandidate]


class ExecutionPlan(Answer):
    """``GET plans/{id}``; ``quality_snapshot_id`` is the calibration of its first node."""

    plan_id: str
    kind: str
    fragment_order: list[str]
    fragments: dict[str, PlanFragment]
    assignments: dict[str, Assignment]
    quality_snapshot_id: str | None
    overhead: float
    """How many times the shots its cuts cost for the same precision."""
    entanglement_cost: float
    """The price of its cuts, which no node has by itself."""
    total_cost: float


@coordinator.route("GET", f"{API}plans/{{id}}", P.JOBS_READ, {200: ExecutionPlan})
async def coordinator_plan(call: Call) -> ExecutionPlan:
    """A plan of one's own."""
    plan = await call.lab.plans.get(call.person, call.path["id"])
    fragments = {fragment_id(one.index): one for one in plan.fragments}
    first = plan.fragments[0].choices[0].calibration_id if plan.fragments else ""
    return ExecutionPlan(
        plan_id=plan.plan_id, kind=plan.kind.value, fragment_order=list(fragments),
        fragments={name: _fragment(plan, one) for name, one in fragments.items()},
        assignments={name: _assignment(plan, one) for name, one in fragments.items()},
        quality_snapshot_id=first or None, overhead=plan.overhead,
        entanglement_cost=price_of_cuts(plan.overhead, plan.weights, plan.scales),
        total_cost=plan.cost,
    )  # fmt: skip


def fragment_id(index: int) -> str:
    """What a fragment is called."""
    return f"fragment-{index}"


def _fragment(plan: PlanModel, one: Fragment) -> PlanFragment:
    runs = [str(at) for at, operation in enumerate(plan.operations) if operation.fragment == one.index]
    return PlanFragment(
        fragment_id=fragment_id(one.index), service_type=plan.kind.value, qubits=list(one.qubits), operation_ids=runs,
        dependencies=[], num_circuits=one.num_circuits, shots=one.shots,
    )  # fmt: skip


def _assignment(plan: PlanModel, one: Fragment) -> Assignment:
    primary, *others = one.choices
    return Assignment(
        fragment_id=fragment_id(one.index), primary_node_id=primary.qpu,
        fallback_node_ids=[choice.qpu for choice in others],
        candidates=[_candidate(plan, choice) for choice in one.choices],
    )  # fmt: skip


def _candidate(plan: PlanModel, choice: Choice) -> NodeCandidate:
    terms = cost_terms(choice.cost, plan.weights, plan.scales)
    return NodeCandidate(
        node_id=choice.qpu, total_cost=choice.cost.total, latency_cost=terms["latency"] + terms["time"],
        failure_risk_cost=terms["fail"], entanglement_cost=0.0, load_cost=terms["load"], fidelity=choice.cost.esp,
    )  # fmt: skip


class ReservationIn(Body, kw_only=True):
    """``POST reservations``: the place of a fragment, which its job has asked for already."""

    workflow_run_id: Label
    fragment_id: Annotated[str, Meta(min_length=3, max_length=64)]


class ReservationView(Answer):
    """A place. ``service_id`` is the plan's kind, ``accepting_peer_id`` the node; ``current_transition`` is REQUESTED,
    PREPARED, COMMITTED, EXECUTED, REJECTED, EXPIRED or CANCELED. From ``requested_at`` to ``expires_at`` it keeps other
    plans off the node once it is PREPARED."""

    reservation_id: str
    workflow_run_id: str
    plan_id: str
    fragment_id: str
    execution_id: str
    service_id: str
    requesting_peer_id: str
    accepting_peer_id: str
    current_transition: str
    min_fidelity: float
    fidelity: float | None
    """The estimated success probability that its driver found."""
    duration_s: float | None
    ttl_seconds: float
    requested_at: datetime
    expires_at: datetime
    last_event_at: datetime
    is_terminal: bool
    is_active: bool
    reason: str


@coordinator.route("POST", f"{API}reservations", P.JOBS_SUBMIT, {201: ReservationView}, body=ReservationIn)
async def make_reservation(call: Call, wanted: ReservationIn) -> ReservationView:
    """The place that a fragment's job has asked for; 409 where it has none any more, with the reason."""
    run = await call.lab.plan_runs.run(call.person, wanted.workflow_run_id)
    found = next((one for one in run.fragments if fragment_id(one.index) == wanted.fragment_id), None)
    one = existing(
        found,
        NotFound(f"Job {run.job_id} has no fragment {wanted.fragment_id!r} yet.", code="unknown_fragment"),
    )
    place = one.reservations[-1]
    if place.state in ENDED:
        raise Conflict(
            f"The place of {wanted.fragment_id} on {place.qpu} is {place.state.value}"
            f"{f' ({place.reason})' if place.reason else ''}: submit the circuit again for a new one.",
            code="reservation_ended", reservation_id=place.id, state=place.state.value.upper(),
        )  # fmt: skip
    return _view(run, one, place)


@coordinator.route("GET", f"{API}reservations/{{id}}", P.JOBS_READ, {200: ReservationView})
async def get_reservation(call: Call) -> ReservationView:
    """A place."""
    return await _look(call.lab, call.person, call.path["id"])


@coordinator.route("POST", f"{API}reservations/{{id}}/cancel", P.JOBS_CANCEL, {200: ReservationView})
async def cancel_reservation(call: Call) -> ReservationView:
    """Give a place back: its fragment is cancelled, and the job fails. One that has ended stays as it is."""
    found = await _look(call.lab, call.person, call.path["id"])
    if not found.is_terminal:
        await call.lab.jobs.cancel(call.person, found.execution_id)
    return await _look(call.lab, call.person, call.path["id"])


async def _look(lab: Lab, person: Principal, reservation_id: str) -> ReservationView:
    missing = NotFound(f"There is no reservation {reservation_id!r}.", code="unknown_reservation")
    child = await lab.jobs.get(person, reservation_id.partition(".")[0])
    if child.parent is None:
        raise missing
    run = await lab.plan_runs.run(person, child.parent)
    places = ((one, place) for one in run.fragments for place in one.reservations)
    one, place = existing(next(((one, place) for one, place in places if place.id == reservation_id), None), missing)
    return _view(run, one, place)


def _view(run: PlanRun, one: FragmentRun, place: ReservationModel) -> ReservationView:
    assert run.plan is not None, "a fragment is of a plan"
    terminal = place.state in ENDED
    return ReservationView(
        reservation_id=place.id, workflow_run_id=run.job_id, plan_id=run.plan.plan_id,
        fragment_id=fragment_id(one.index), execution_id=one.job_id, service_id=run.plan.kind.value,
        requesting_peer_id=run.plan.owner, accepting_peer_id=place.qpu, current_transition=place.state.value.upper(),
        min_fidelity=run.plan.request.min_fidelity, fidelity=place.esp, duration_s=place.duration_s,
        ttl_seconds=(place.expires_at - place.created_at).total_seconds(), requested_at=place.created_at,
        expires_at=place.expires_at, last_event_at=place.changed_at, is_terminal=terminal, is_active=not terminal,
        reason=place.reason,
    )  # fmt: skip
