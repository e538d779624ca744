"""What the QPUs of a lab offer, and how somebody's QPU comes to be trusted, as the native surface sends it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from qpi_jupyter.core.capabilities import Availability
from qpi_jupyter.core.trust import TrustTier

from .rest import Answer, DriverRegistered, Name, QpuStatusWord, Request


class ServiceOffer(Answer):
    """A service on so many qubits. ``fidelity`` is its estimated success probability; null: nothing is known of it."""

    service: str
    min_qubits: int
    max_qubits: int
    fidelity: float | None


class Advertisement(Answer):
    """What one QPU offers, how well, and whether it is there.

    ``fidelity`` is that of a Bell pair, prepared and measured (of one qubit, where there are no two-qubit gates), from
    the calibration ``calibration_id``. ``below_min_fidelity``: less than the lab's ``min_fidelity``. ``stale``: three
    heartbeats were missed; ``seen_at`` is the last one, null before the first. ``latency_s`` is a round trip to its
    nearest driver, null where none was measured. ``coupling_map`` is for drawing: null for all-to-all, and beyond 128
    qubits. ``problem`` says why its driver was refused last, for managers and for whose QPU it is.
    """

    qpu: str
    kind: Literal["device", "pool"]
    description: str
    simulator: bool
    status: QpuStatusWord
    reason: str
    availability: Availability
    stale: bool
    seen_at: datetime | None
    trust: TrustTier
    num_qubits: int
    fidelity: float | None
    below_min_fidelity: bool
    calibration_id: str
    latency_s: float | None
    places: int
    queued: int
    running: int
    services: list[ServiceOffer]
    coupling_map: list[tuple[int, int]] | None
    contributed_by: str | None = None
    pending: bool = False
    """It waits for a manager's approval."""
    trust_reason: str = ""
    """What whoever decided wrote."""
    problem: str = ""


class ServiceList(Answer):
    """The QPUs that match, by name. ``min_fidelity`` is the lab's: those below it are marked. ``may_enroll``: whoever
    asks may add a QPU."""

    min_fidelity: float
    may_enroll: bool
    qpus: list[Advertisement]


class EnrollmentIn(Request):
    """``POST enrollment``: ask that a QPU of one's own becomes one of the lab's."""

    name: Name
    kind: Literal["device", "pool"] = "device"
    description: Annotated[str, Meta(max_length=1000)] = ""
    num_qubits: Annotated[int, Meta(ge=1, le=100_000)] | None = None


TrustWord = Literal["approve", "reject", "quarantine"]
"""`qpi_jupyter.core.trust.TrustAction`, as it is sent."""


class EnrollmentAnswer(Request):
    """``POST enrollment/{qpu}``: what a manager decides, and why."""

    action: TrustWord
    reason: Annotated[str, Meta(max_length=200)] = ""


class Enrollment(Answer):
    """How far a QPU is trusted. ``pending``: nobody has decided yet. ``at``: when it was asked for, or decided."""

    qpu: str
    trust: TrustTier
    pending: bool
    contributed_by: str | None
    description: str
    reason: str
    decided_by: str | None
    at: datetime | None


class EnrollmentList(Answer):
    enrollments: list[Enrollment]


class Enrolled(Answer):
    """The QPU, and its driver with a token that only this answer shows."""

    enrollment: Enrollment
    driver: DriverRegistered
