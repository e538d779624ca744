"""Plans in the coordinator's words: fragments, each with the nodes that can run it and what that costs."""

from __future__ import annotations

from qpi_jupyter.core import Permission as P
from qpi_jupyter.core.planning import cost_terms, price_of_cuts
from qpi_jupyter.core.plans import Choice, Fragment
from qpi_jupyter.wire.plans import PlanModel
from qpi_jupyter.wire.rest import Answer
from qpi_server.web.table import Call

from .base import API, coordinator


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
    runs = [
        str(at) for at, operation in enumerate(plan.operations)
        if not operation.cut and set(operation.qubits) <= set(one.qubits)
    ]  # fmt: skip
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
