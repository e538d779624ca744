"""One circuit over several QPUs: what a plan says.

A plan has fragments. Each is a program of its own, one job, for which several QPUs come into question. What the circuit
gives is computed from what the fragments gave. Nothing here has a clock or a random number: the same circuit, request
and QPUs make the same plan, with the same id.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

MAX_FRAGMENTS = 1_000
MAX_OVERHEAD = 81.0
"""The default budget: how many times the shots a cut circuit may cost for the same precision."""
MAX_CUT_COUNTS = 12
"""Qubits of a cut circuit whose counts can be put together."""
MAX_ATTEMPTS = 5
"""Of one fragment, on all its QPUs together."""
MAX_CHOICES = MAX_ATTEMPTS
"""QPUs that a fragment names: the one that was taken and its fallbacks."""
MAX_DRAWN = 400
"""Operations of a circuit that a plan shows."""


class PlanKind(StrEnum):
    WHOLE = "whole"
    """The circuit as it is, on one QPU."""
    COMPONENTS = "components"
    """Its connected components, each on a QPU: nothing between them has to be cut."""
    CUT = "cut"
    """Cut with qiskit-addon-cutting: more experiments, put together by a sum with signs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """What a plan is made for. One of ``observables`` (Pauli strings, as Qiskit's labels) and counts.

    ``qpus``: the only ones; empty: all that its owner may use. ``min_fidelity``: of each fragment, by its ESP.
    """

    observables: tuple[str, ...] = ()
    shots: int = 1_024
    qpus: tuple[str, ...] = ()
    min_fidelity: float = 0.0
    max_overhead: float = MAX_OVERHEAD
    seed: int = 0
    deadline_s: float | None = None
    """From submit until all of it has to be done (seconds)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a fragment costs on a QPU: each term as it was found, and their weighted sum.

    ``esp`` is the estimated success probability: the product of 1 - error over all operations of the circuit that was
    transpiled for the QPU. Times in seconds; ``load`` is jobs that wait and run for each place.
    """

    esp: float
    duration_s: float
    wait_s: float
    load: float
    latency_s: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A QPU that a fragment can run on, and the calibration that this was found with."""

    qpu: str
    calibration_id: str
    cost: Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """One job of a plan: ``num_circuits`` experiments on ``qubits`` of the circuit, ``shots`` each.

    ``choices`` begin with the one that was taken; the others are its fallbacks, in their order.
    """

    index: int
    qubits: tuple[int, ...]
    num_qubits: int
    num_circuits: int
    shots: int
    program_sha256: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """Another way that was weighed, or the ``problem`` with it; ``overhead``: none where no cuts were found."""

    kind: PlanKind
    width: int
    qpus: tuple[str, ...] = ()
    overhead: float | None = 1.0
    cost: float | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation of the circuit, for drawing it; ``cut``: it is cut, and no QPU carries it out.

    ``fragment``: the one that has it; none where it is cut, or reaches over several. ``cut_wires``: the qubits whose
    wire is cut before it, and goes on in its fragment.
    """

    name: str
    qubits: tuple[int, ...]
    cut: bool = False
    fragment: int | None = None
    cut_wires: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a circuit runs. ``cost`` is the sum over its fragments and the price of its cuts (``overhead``)."""

    plan_id: str
    kind: PlanKind
    num_qubits: int
    request: PlanRequest
    circuit_sha256: str
    fragments: tuple[Fragment, ...]
    num_cuts: int = 0
    overhead: float = 1.0
    cost: float = 0.0
    alternatives: tuple[Alternative, ...] = ()
    weights: dict[str, float] = field(default_factory=dict)
    scales: dict[str, float] = field(default_factory=dict)
    """What counted as one of each term; empty: the plan was made before these were kept."""
    versions: dict[str, str] = field(default_factory=dict)
    """Of the libraries that it depends on."""
    operations: tuple[Operation, ...] = ()
    """The first of the circuit's."""

    @property
    def qpus(self) -> frozenset[str]:
        """All that its fragments may go to."""
        return frozenset(choice.qpu for fragment in self.fragments for choice in fragment.choices)


class ReservationState(StrEnum):
    """A fragment's place on a QPU."""

    REQUESTED = "requested"
    PREPARED = "prepared"
    COMMITTED = "committed"
    EXECUTED = "executed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELED = "canceled"
