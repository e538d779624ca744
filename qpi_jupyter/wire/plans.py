"""Plans of one circuit over several QPUs, as the native surface sends them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from qpi_jupyter.core import DEFAULT_SHOTS, MAX_SHOTS, Program
from qpi_jupyter.core.bounds import MAX_SECONDS
from qpi_jupyter.core.plans import (
    MAX_FRAGMENTS,
    MAX_OVERHEAD,
    Alternative,
    Fragment,
    Operation,
    Plan,
    PlanKind,
    PlanRequest,
    ReservationState,
)

from .jobs import JobLabels, OriginIn
from .rest import Answer, JobError, Label, OptionsIn, Phase, ProgramIn, Request, Status, program_from
from .validation import PAULI

MAX_OBSERVABLES = 1_000
MAX_BUDGET = 1e6
"""The largest overhead that one may ask for."""
Pauli = Annotated[str, Meta(min_length=1, max_length=1_000, pattern=PAULI)]


class PlanIn(Request):
    """``POST plans``: one circuit, and what is wanted of it: expectation values of ``observables`` (Pauli strings in
    Qiskit's order, the last letter for qubit 0), or without any its counts.

    ``qpus``: the only ones that may be used; ``min_fidelity``: the least estimated success probability of every
    fragment; ``max_overhead``: how many times the shots a cut circuit may cost; ``deadline_s``: seconds from submit
    until all of it has to be done. The same ``seed`` makes the same plan.
    """

    program: ProgramIn
    observables: Annotated[list[Pauli], Meta(max_length=MAX_OBSERVABLES)] = []
    shots: Annotated[int, Meta(ge=1, le=MAX_SHOTS)] = DEFAULT_SHOTS
    qpus: Annotated[list[Label], Meta(max_length=MAX_FRAGMENTS)] = []
    min_fidelity: Annotated[float, Meta(ge=0, le=1)] = 0.0
    max_overhead: Annotated[float, Meta(ge=1, le=MAX_BUDGET)] = MAX_OVERHEAD
    seed: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    deadline_s: Annotated[float, Meta(gt=0, le=MAX_SECONDS)] | None = None

    def to_program(self) -> Program:
        """The core's noun; as `program_from`."""
        return program_from(self.program, OptionsIn(shots=self.shots))

    def to_request(self) -> PlanRequest:
        """The core's noun."""
        return PlanRequest(
            observables=tuple(self.observables), shots=self.shots, qpus=tuple(sorted(set(self.qpus))),
            min_fidelity=self.min_fidelity, max_overhead=self.max_overhead, seed=self.seed, deadline_s=self.deadline_s,
        )  # fmt: skip


class PlanModel(Answer):
    """How a circuit would run. ``fragments`` are its jobs, each with the QPUs that can run it, the first of them the
    one that was chosen; ``alternatives`` are the other ways, with their costs or why they are not possible."""

    plan_id: str
    owner: str
    created_at: datetime
    kind: PlanKind
    num_qubits: int
    request: PlanRequest
    circuit_sha256: str
    fragments: list[Fragment]
    num_cuts: int = 0
    overhead: float = 1.0
    cost: float = 0.0
    alternatives: list[Alternative] = []
    weights: dict[str, float] = {}
    scales: dict[str, float] = {}
    versions: dict[str, str] = {}
    operations: list[Operation] = []
    """The first of the circuit's, for drawing it."""

    @staticmethod
    def of(plan: Plan, owner: str, created_at: datetime) -> PlanModel:
        """The plan, as it is sent."""
        return msgspec.convert(
            {**msgspec.to_builtins(plan), "owner": owner, "created_at": created_at}, PlanModel, strict=False
        )


class PlanJobLabels(JobLabels):
    """What is said of the job that runs a plan. ``group``: whose account pays, else one's own."""

    group: Label | None = None
    retry_safe: bool = False
    priority: Annotated[int, Meta(ge=-10, le=10)] = 0
    origin: OriginIn = msgspec.field(default_factory=OriginIn)


Stale = Literal["refuse", "replan"]


class PlanJobIn(PlanJobLabels, Request):
    """``POST plans/{id}/jobs``: run a plan. ``stale`` says what becomes of one whose QPUs have other calibrations now:
    it is refused, or the circuit is planned again."""

    stale: Stale = "refuse"


class PlanAndRunIn(PlanJobLabels, Request, kw_only=True):
    """``POST plans/jobs``: plan a circuit and run it, in one; answered before it is planned."""

    plan: PlanIn


class ReservationModel(Answer):
    """A fragment's place on a QPU. ``esp``, ``duration_s`` and ``shot_s`` are what its driver said when it prepared it,
    for the calibration ``calibration_id``; ``digest`` is of what it compiled. ``observed_esp``: the success probability
    by the calibration that the result was measured with, where that is known. ``reason``: why it was refused, expired
    or is not needed any more."""

    id: str
    qpu: str
    state: ReservationState
    created_at: datetime
    changed_at: datetime
    expires_at: datetime
    esp: float | None = None
    duration_s: float | None = None
    shot_s: float | None = None
    digest: str = ""
    calibration_id: str = ""
    observed_esp: float | None = None
    reason: str = ""


class AttemptModel(Answer):
    """A time that a fragment was with a driver; ``outcome`` is empty while it is. A fragment that was measured again
    has attempts of two jobs."""

    job_id: str
    attempt: int
    driver: str
    assigned_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: str = ""
    busy_s: float | None = None


class FragmentRun(Answer):
    """How a fragment of a plan does: its job, its places, the oldest first, and its attempts.

    ``fallback``: it is not on the first of its choices; ``esp`` is that of its latest place, and ``observed_esp`` that
    of the calibration which its result was measured with, where that is known. ``below``: that is less than the plan's
    ``min_fidelity``. ``repeated``: for that reason it was measured again; all but the places and the attempts is of
    the better result.
    """

    index: int
    job_id: str
    qpu: str
    status: Status
    phase: Phase
    fallback: bool
    below: bool
    reservations: list[ReservationModel]
    attempts: list[AttemptModel]
    esp: float | None = None
    observed_esp: float | None = None
    repeated: bool = False
    error: JobError | None = None


class PlanRun(Answer):
    """``GET jobs/{id}/plan``: the plan that a job runs, live; null while it is being planned. ``cost_s`` is what its
    jobs cost together."""

    job_id: str
    plan: PlanModel | None
    fragments: list[FragmentRun]
    deadline_at: datetime | None = None
    cost_s: float = 0.0
