"""Which QPUs a circuit's parts run on: a pure decision over figures that others have found.

A `Study` says in which ways the circuit can be run, and how well each part of it would do on each kind of QPU; a
`Candidate` is a QPU as it is now. The same of both make the same plan, with the same id, in whatever order they come.

The cost of a part on a QPU is the weighted sum of what can go wrong (1 - ESP), of the time until it is measured, of the
jobs there are for each place, and of the way there (`cost_terms`); that of a plan adds the price of its cuts, the
logarithm of the sampling overhead. What has a unit is divided by the amount that counts as one (`SCALES`).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any

from .errors import Rejected
from .plans import (
    MAX_CHOICES,
    MAX_CUT_COUNTS,
    Alternative,
    Choice,
    Cost,
    Fragment,
    Operation,
    Plan,
    PlanKind,
    PlanRequest,
)
from .words import counted, plain

WEIGHTS: Mapping[str, float] = MappingProxyType({"fail": 0.5, "cut": 0.35, "load": 0.1, "latency": 0.05, "time": 0.1})
"""How much each term of the cost counts."""
SCALES: Mapping[str, float] = MappingProxyType({"cut": 8.0, "latency": 1.0, "time": 600.0})
"""What counts as one: binary digits of overhead, seconds of a round trip, seconds of waiting and running."""
_CALLED = {
    PlanKind.WHOLE: "As a whole",
    PlanKind.COMPONENTS: "In components",
    PlanKind.CUT: "Cut into parts",
}
_ID_CHARS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A QPU that may be used. ``target`` names what its executor can do and its calibration: QPUs that share it do the
    same as well. Times in seconds; ``load`` is the jobs that wait and run for each place."""

    qpu: str
    target: str
    calibration_id: str
    num_qubits: int
    places: int = 1
    load: float = 0.0
    wait_s: float = 0.0
    latency_s: float = 0.0
    rep_delay_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How a part would do on a target: its estimated success probability, and how long one shot takes (seconds).

    ``problem`` says why it cannot run there, and ``missing`` what the target would have to have; ``digest`` is of what
    it was compiled into, where somebody wants to know.
    """

    esp: float = 0.0
    shot_s: float = 0.0
    digest: str = ""
    problem: str = ""
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One program of a way to run the circuit: ``num_circuits`` experiments on ``qubits`` of the circuit.

    ``on`` has its figures by the names of the targets that are wide enough; ``program`` is its place among the study's
    blobs.
    """

    qubits: tuple[int, ...]
    num_qubits: int
    num_circuits: int
    program_sha256: str
    program: int
    on: dict[str, Figures] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to run the circuit, with parts of at most ``width`` qubits; or, with a ``problem``, why it is none.

    ``recipe`` is the place among the study's blobs of what puts the results together.
    """

    kind: PlanKind
    width: int
    parts: tuple[Part, ...] = ()
    recipe: int = 0
    overhead: float = 1.0
    num_cuts: int = 0
    problem: str = ""
    cut: tuple[int, ...] = ()
    """Which of the study's operations it cuts."""
    wires: tuple[tuple[int, int], ...] = ()
    """Where it cuts wires: before which of the operations, and of which qubit."""
    owners: tuple[int | None, ...] = ()
    """Where wires are cut: the part of each of the operations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What a circuit is, and the ways to run it."""

    circuit_sha256: str
    num_qubits: int
    ways: tuple[Way, ...]
    operations: tuple[Operation, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weighed:
    """A way with its QPUs."""

    way: Way
    fragments: tuple[Fragment, ...]
    cost: float

    @property
    def qpus(self) -> tuple[str, ...]:
        return tuple(sorted({fragment.choices[0].qpu for fragment in self.fragments}))

    @property
    def rank(self) -> tuple[float, int, str, tuple[str, ...]]:
        """The smallest is taken."""
        return self.cost, self.way.width, self.way.kind.value, self.qpus


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shortfall:
    """Why a way cannot be: what is missing, how much of it is needed, and who comes nearest."""

    way: Way
    missing: str
    message: str
    need: dict[str, Any] = field(default_factory=dict)
    best: dict[str, Any] = field(default_factory=dict)


def make_plan(request: PlanRequest, study: Study, candidates: Sequence[Candidate]) -> tuple[Plan, Way]:
    """The cheapest way to run the circuit, and which of the study's that is.

    Raises
    ------
    Rejected
        ``infeasible``: no way is left. ``data`` has ``missing`` (``qpus``, ``qubits``, ``fidelity``, ``overhead``, or a
        capability), ``need`` and ``best`` with the figures, and ``overhead`` with ``min`` and ``budget``.
    """
    there = sorted(candidates, key=lambda one: one.qpu)
    if not there:
        raise _infeasible("No QPU is available for this plan.", "qpus", overhead=_overheads(request, study))
    weighed: list[_Weighed] = []
    short: list[_Shortfall] = []
    for way in study.ways:
        found = _weigh(way, request, there)
        (weighed if isinstance(found, _Weighed) else short).append(found)  # type: ignore[arg-type]
    if not weighed:
        raise _refusal(request, study, short)
    best = min(weighed, key=lambda one: one.rank)
    plan = Plan(
        plan_id=_plan_id(request, study, there),
        kind=best.way.kind,
        num_qubits=study.num_qubits,
        request=request,
        circuit_sha256=study.circuit_sha256,
        fragments=best.fragments,
        num_cuts=best.way.num_cuts,
        overhead=best.way.overhead,
        cost=best.cost,
        alternatives=tuple(_alternatives(best, weighed, short)),
        weights=dict(WEIGHTS),
        scales=dict(SCALES),
        versions=study.versions,
        operations=_marked(study.operations, best.way),
    )
    return plan, best.way


def _weigh(way: Way, request: PlanRequest, candidates: Sequence[Candidate]) -> _Weighed | _Shortfall:
    """The way with each part on its cheapest QPU, the widest part first; or what it lacks."""
    if way.problem:
        return _Shortfall(way=way, missing="way", message=way.problem)
    if way.overhead > request.max_overhead:
        message = (
            f"It costs {plain(way.overhead)} times the shots, and the limit is {plain(request.max_overhead)} "
            "(max_overhead)."
        )
        return _Shortfall(way=way, missing="overhead", message=message)
    planned: Counter[str] = Counter()
    fragments: dict[int, Fragment] = {}
    for index, part in sorted(enumerate(way.parts), key=lambda one: (-one[1].num_qubits, one[0])):
        choices = _choices(part, request, candidates, planned)
        if not choices:
            return _lacks(way, part, request, candidates)
        planned[choices[0].qpu] += 1
        fragments[index] = Fragment(
            index=index, qubits=part.qubits, num_qubits=part.num_qubits, num_circuits=part.num_circuits,
            shots=request.shots, program_sha256=part.program_sha256, choices=choices,
        )  # fmt: skip
    ordered = tuple(fragments[index] for index in range(len(way.parts)))
    cost = price_of_cuts(way.overhead) + sum(one.choices[0].cost.total for one in ordered)
    return _Weighed(way=way, fragments=ordered, cost=cost)


def _choices(
    part: Part, request: PlanRequest, candidates: Sequence[Candidate], planned: Mapping[str, int]
) -> tuple[Choice, ...]:
    """The QPUs that can run a part, the cheapest first, then by name."""
    found = [
        Choice(qpu=one.qpu, calibration_id=one.calibration_id, cost=_cost(part, figures, request.shots, one, planned))
        for one in candidates
        if (figures := _figures(part, one)) is not None and not figures.problem and figures.esp >= request.min_fidelity
    ]
    return tuple(sorted(found, key=lambda choice: (choice.cost.total, choice.qpu))[:MAX_CHOICES])


def _figures(part: Part, candidate: Candidate) -> Figures | None:
    return part.on.get(candidate.target) if part.num_qubits <= candidate.num_qubits else None


def _cost(part: Part, figures: Figures, shots: int, on: Candidate, planned: Mapping[str, int]) -> Cost:
    found = Cost(
        esp=figures.esp, duration_s=part.num_circuits * shots * (figures.shot_s + on.rep_delay_s), wait_s=on.wait_s,
        load=on.load + planned.get(on.qpu, 0) / max(1, on.places), latency_s=on.latency_s, total=0.0,
    )  # fmt: skip
    return replace(found, total=sum(cost_terms(found).values()))


def cost_terms(
    cost: Cost, weights: Mapping[str, float] = WEIGHTS, scales: Mapping[str, float] = SCALES
) -> dict[str, float]:  # fmt: skip
    """What each term adds to the total of a part on a QPU; that of the cuts is the plan's (`price_of_cuts`).

    What a plan of earlier did not weigh adds nothing; where it says no scales, they were those of today.
    """
    scales = scales or SCALES
    found = {
        "fail": 1.0 - cost.esp,
        "time": (cost.duration_s + cost.wait_s) / scales["time"],
        "load": cost.load,
        "latency": cost.latency_s / scales["latency"],
    }
    return {name: weights.get(name, 0.0) * amount for name, amount in found.items()}


def price_of_cuts(
    overhead: float, weights: Mapping[str, float] = WEIGHTS, scales: Mapping[str, float] = SCALES
) -> float:  # fmt: skip
    """What the cuts add to the cost of a plan; weights and scales as of `cost_terms`."""
    return weights.get("cut", 0.0) * math.log2(overhead) / (scales or SCALES)["cut"]


def _lacks(way: Way, part: Part, request: PlanRequest, candidates: Sequence[Candidate]) -> _Shortfall:
    """What no QPU has that a part needs, and which one comes nearest."""
    needs = counted(part.num_qubits, "qubit")
    widest = max(candidates, key=lambda one: one.num_qubits)  # of equals the first by name
    if widest.num_qubits < part.num_qubits:
        return _Shortfall(
            way=way, missing="qubits", need={"qubits": part.num_qubits},
            best={"qpu": widest.qpu, "qubits": widest.num_qubits},
            message=f"It needs {needs}; the largest QPU, {widest.qpu}, has {widest.num_qubits}.",
        )  # fmt: skip
    able = [(one, figures) for one in candidates if (figures := _figures(part, one)) is not None]
    runs = [(one, figures) for one, figures in able if not figures.problem]
    if runs:
        best, figures = max(runs, key=lambda one: one[1].esp)
        return _Shortfall(
            way=way, missing="fidelity", need={"fidelity": request.min_fidelity},
            best={"qpu": best.qpu, "fidelity": figures.esp},
            message=(
                f"No QPU reaches an estimated success probability of {request.min_fidelity:.4g} (min_fidelity) with "
                f"{needs}; the best, {best.qpu}, reaches {figures.esp:.4g}."
            ),
        )  # fmt: skip
    nearest, figures = max(able, key=lambda one: one[0].num_qubits)
    return _Shortfall(
        way=way, missing=figures.missing, need={figures.missing: True},
        best={"qpu": nearest.qpu, "qubits": nearest.num_qubits},
        message=f"{nearest.qpu}, the nearest of the QPUs with {needs}, cannot run it: {figures.problem}",
    )  # fmt: skip


def _refusal(request: PlanRequest, study: Study, short: Sequence[_Shortfall]) -> Rejected:
    """The error that says what stands in the way of every way."""
    overhead = _overheads(request, study)
    if unfit := [one for one in short if one.missing == "fidelity"]:
        found = max(unfit, key=lambda one: float(one.best["fidelity"]))  # narrower parts do better than wide ones
        return _infeasible(found.message, found.missing, need=found.need, best=found.best, overhead=overhead)
    whole = next(one for one in short if one.way.kind is PlanKind.WHOLE)
    firsts = {one.way.kind: one for one in reversed(short)}
    said = [
        f"{words}: {firsts[kind].message[0].lower()}{firsts[kind].message[1:]}"
        for kind, words in _CALLED.items()
        if kind in firsts
    ]
    missing = "overhead" if any(one.missing == "overhead" for one in short) else whole.missing
    return _infeasible(" ".join(said), missing, need=whole.need, best=whole.best, overhead=overhead)


def _overheads(request: PlanRequest, study: Study) -> dict[str, float | None]:
    cuts = [way.overhead for way in study.ways if way.kind is PlanKind.CUT and way.overhead > 1.0]
    return {"min": min(cuts, default=None), "budget": request.max_overhead}


def _infeasible(message: str, missing: str, **data: Any) -> Rejected:  # Any: JSON with the figures
    return Rejected(message, code="infeasible", missing=missing, **data)


def _alternatives(best: _Weighed, weighed: Sequence[_Weighed], short: Sequence[_Shortfall]) -> list[Alternative]:
    """The other ways: what they cost, in that order, and then those that cannot be."""
    found = [
        Alternative(
            kind=one.way.kind, width=one.way.width, qpus=one.qpus, overhead=one.way.overhead, cost=one.cost
        )
        for one in sorted(weighed, key=lambda one: one.rank)
        if one is not best
    ]  # fmt: skip
    whole = next((one for one in weighed if one.way.kind is PlanKind.WHOLE), None)
    if whole is not None:  # each QPU is a way of its own
        found += [
            Alternative(kind=PlanKind.WHOLE, width=whole.way.width, qpus=(choice.qpu,), cost=choice.cost.total)
            for choice in whole.fragments[0].choices[1:]
        ]
    found.sort(key=lambda one: (one.cost or 0.0, one.width, one.kind.value, one.qpus))
    return found + [
        Alternative(
            kind=one.way.kind, width=one.way.width, overhead=one.way.overhead if one.way.num_cuts else None,
            problem=one.message,
        )
        for one in short
    ]  # fmt: skip


def _marked(operations: Sequence[Operation], way: Way) -> tuple[Operation, ...]:
    """The operations with what a way does to them."""
    gone, wires = set(way.cut), defaultdict[int, list[int]](list)
    for at, qubit in way.wires:
        wires[at].append(qubit)
    owner = {qubit: index for index, one in enumerate(way.parts) for qubit in one.qubits}
    marked = []
    for index, one in enumerate(operations):
        owners = {way.owners[index]} if way.owners else {owner.get(qubit) for qubit in one.qubits}
        fragment = owners.pop() if len(owners) == 1 and index not in gone else None
        marked.append(replace(one, cut=index in gone, fragment=fragment, cut_wires=tuple(wires[index])))
    return tuple(marked)


def _plan_id(request: PlanRequest, study: Study, candidates: Sequence[Candidate]) -> str:
    """The digest of everything that the plan depends on."""
    said = {
        "circuit": study.circuit_sha256, "request": asdict(request), "qpus": [asdict(one) for one in candidates],
        "weights": dict(WEIGHTS), "scales": dict(SCALES), "versions": study.versions,
    }  # fmt: skip
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return "plan-" + hashlib.sha256(canonical.encode()).hexdigest()[:_ID_CHARS]


def check_observables(request: PlanRequest, num_qubits: int) -> None:
    """Refuse observables that are not of the circuit's width.

    Raises
    ------
    Rejected
        with the first of them.
    """
    for observable in request.observables:
        if len(observable) != num_qubits:
            raise Rejected(
                f"The observable {observable!r:.60} has {counted(len(observable), 'letter')}, and the circuit "
                f"{counted(num_qubits, 'qubit')}: write one of I, X, Y, Z for each, the last for qubit 0.",
                code="bad_observable", field="observables", qubits=num_qubits,
            )  # fmt: skip


def too_many_counts(num_qubits: int) -> str:
    """Why the counts of so many qubits cannot be put together again; empty where they can."""
    if num_qubits <= MAX_CUT_COUNTS:
        return ""
    return (
        f"Counts of {num_qubits} qubits cannot be put together from the parts of a cut circuit; up to "
        f"{MAX_CUT_COUNTS} can. Ask for observables instead."
    )
