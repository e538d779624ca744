"""Circuits and their jobs: submit, list, look. A coordinator's job is a job of the lab, with the same id."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, field

from qpi_jupyter.core import DEFAULT_SHOTS, MAX_SHOTS, Forbidden, NotFound, Principal, TooLarge, text_format
from qpi_jupyter.core import Permission as P
from qpi_jupyter.core.plans import MAX_OVERHEAD
from qpi_jupyter.wire.jobs import JobModel
from qpi_jupyter.wire.plans import MAX_BUDGET, MAX_OBSERVABLES, FragmentRun, Pauli, PlanAndRunIn, PlanIn, PlanRun
from qpi_jupyter.wire.rest import Answer, JobError, ProgramIn
from qpi_server.service import Lab
from qpi_server.web.compat.texts import seems_one, text_of
from qpi_server.web.table import Call

from .base import API, Body, Query, coordinator
from .plans import fragment_id
from .views import ENDS, State, error_of, fragment_state, latest, state_of

MAX_CIRCUIT_BYTES = 1 << 20
MAX_LOOKED_AT = 2_000
"""Jobs that a list looks at before it is shorter than was asked for."""
PREVIEW_CHARS = 96
Detail = Literal["full", "summary"]
GROWING = frozenset({"probabilities", "statevector", "reduced_density_matrices"})
"""What a summary leaves out."""
_DECLARATIONS = ("OPENQASM", "INCLUDE", "QREG", "CREG", "QUBIT", "BIT", "//")


class CoordinatorCircuit(Body):
    """``POST circuits/submit``: the text of one circuit, OpenQASM 2 or 3. All but that is our own."""

    circuit: Annotated[str, Meta(min_length=1)]
    shots: Annotated[int, Meta(ge=1, le=MAX_SHOTS)] = DEFAULT_SHOTS
    observables: Annotated[list[Pauli], Meta(max_length=MAX_OBSERVABLES)] = field(default_factory=list)
    min_fidelity: Annotated[float, Meta(ge=0, le=1)] = 0.0
    max_overhead: Annotated[float, Meta(ge=1, le=MAX_BUDGET)] = MAX_OVERHEAD
    seed: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0


class CircuitAccepted(Answer):
    """What is answered at once."""

    job_id: str
    status: State


class Progress(Answer):
    """How far the fragments are; ``finalizing``: all have their results, which are being put together."""

    total_fragments: int
    completed_fragments: int
    active_fragments: int
    completion_ratio: float
    latest_event_at: datetime
    finalizing: bool


class FragmentResult(Answer):
    """What became of one fragment: it is the job ``execution_id``.

    Fragments do not depend on one another, so all are of stage 0, and no quantum state travels between them.
    """

    fragment_id: str
    node_id: str | None
    status: State
    attempts: int
    started_at: datetime | None
    finished_at: datetime | None
    observed_fidelity: float | None
    """By the calibration that it was measured with, where that is known; else by the one that it was prepared for."""
    below_min_fidelity: bool
    error: str | None
    reservation_id: str | None
    execution_id: str
    block: int
    stage: int = 0
    state_transfer_bytes: int = 0


class CoordinatorResult(Answer):
    """``fragment_results`` say how it was run, ``quantum_result`` what came out; without one there is none yet."""

    job_id: str
    fragment_results: list[FragmentResult]
    quantum_result: dict[str, Any] | None


class JobFacts(Answer):
    """What is said of a job wherever it is shown."""

    job_id: str
    status: State
    plan_id: str | None
    error: str | None
    progress: Progress
    created_at: datetime
    updated_at: datetime


class CoordinatorJob(JobFacts):
    """``GET jobs/{id}``."""

    error_detail: JobError | None
    """The same as the lab has it: with the line and column of a circuit that cannot be read, the capability that no
    node has, the figures of a budget."""
    result: CoordinatorResult
    circuit_text: str


class JobLine(JobFacts):
    """A job in the list."""

    circuit_preview: str
    result_available: bool


class CoordinatorJobsQuery(Query):
    """``GET jobs``: one's own, newest first; ``status`` may come several times."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    status: Annotated[list[State], Meta(max_length=16)] = field(default_factory=list)


class CoordinatorJobQuery(Query):
    """``GET jobs/{id}``: ``summary`` leaves out what grows with the state: probabilities, amplitudes, matrices."""

    result_detail: Detail = "full"


@coordinator.route("POST", f"{API}circuits/submit", P.JOBS_SUBMIT, {201: CircuitAccepted}, body=CoordinatorCircuit,
                   refuses=(507,))  # fmt: skip
async def coordinator_submit(call: Call, wanted: CoordinatorCircuit) -> CircuitAccepted:
    """Submit one circuit; where it runs is planned for it."""
    job = await submit(call, wanted)
    return CircuitAccepted(job_id=job.id, status="QUEUED")


async def submit(call: Call, wanted: CoordinatorCircuit, *, project: str = "") -> JobModel:
    """The job of a circuit.

    Raises
    ------
    TooLarge
        its text is longer than `MAX_CIRCUIT_BYTES`.
    Rejected
        it says of itself that it is another version of OpenQASM; what else is wrong, its planning finds.
    """
    if len(wanted.circuit.encode()) > MAX_CIRCUIT_BYTES:
        raise TooLarge(
            f"The circuit is longer than {MAX_CIRCUIT_BYTES >> 20} MiB of text.", code="too_large", field="circuit"
        )
    job_id, _ = await call.lab.plan_runs.plan_and_run(
        call.person,
        PlanAndRunIn(
            plan=PlanIn(
                program=ProgramIn(format=text_format(wanted.circuit).name, sources=[wanted.circuit]),
                observables=wanted.observables, shots=wanted.shots, min_fidelity=wanted.min_fidelity,
                max_overhead=wanted.max_overhead, seed=wanted.seed,
            ),
            project=project,
        ),
    )  # fmt: skip
    return await call.lab.jobs.get(call.person, job_id)


@coordinator.route("GET", f"{API}jobs", P.JOBS_READ, {200: "application/json"}, query=CoordinatorJobsQuery)
async def coordinator_jobs(call: Call, q: CoordinatorJobsQuery) -> list[JobLine]:
    """One's own jobs of circuits, newest first."""
    found: list[JobLine] = []
    after, looked = None, 0
    while looked < MAX_LOOKED_AT:
        page = await call.lab.jobs.list(call.person, limit=200, after=after)
        looked, after = looked + len(page.jobs), page.next
        for job in (job for job in page.jobs if job.parent is None and seems_one(job)):
            if q.status and ENDS.get(job.status, q.status[0]) not in q.status:
                continue  # it has ended otherwise, however its plan did
            run = await run_of(call.lab, call.person, job)
            if q.status and state_of(job, run) not in q.status:
                continue
            if (text := await text_of(call.lab, call.person, job)) is not None:
                found.append(_line(job, run, text))
            if len(found) == q.limit:
                return found
        if after is None:
            break
    return found


async def run_of(lab: Lab, person: Principal, job: JobModel) -> PlanRun | None:
    """How the plan of a job does; None where it runs without one."""
    try:
        return await lab.plan_runs.run(person, job.id)
    except (NotFound, Forbidden):  # the plan of somebody else's job is not shown with it
        return None


def _line(job: JobModel, run: PlanRun | None, text: str) -> JobLine:
    progress = progress_of(job, run)
    return JobLine(
        job_id=job.id, status=state_of(job, run), plan_id=_plan_id(run), error=error_of(job), progress=progress,
        circuit_preview=preview(text), result_available=job.status == "completed",
        created_at=job.submitted_at, updated_at=progress.latest_event_at,
    )  # fmt: skip


def _plan_id(run: PlanRun | None) -> str | None:
    return None if run is None or run.plan is None else run.plan.plan_id


def preview(text: str) -> str:
    """The first line of a circuit that does something."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    first = next((line for line in lines if line and not line.upper().startswith(_DECLARATIONS)), "")
    return first if len(first) <= PREVIEW_CHARS else f"{first[: PREVIEW_CHARS - 3]}..."


def progress_of(job: JobModel, run: PlanRun | None) -> Progress:
    """How far the fragments are; a job without a plan is its own only one."""
    if run is None:
        states, times = [job.status], []
    else:
        states, times = [one.status for one in run.fragments], [at for one in run.fragments for at in _times(one)]
    total, done = len(states), states.count("completed")
    return Progress(
        total_fragments=total, completed_fragments=done, active_fragments=states.count("running"),
        completion_ratio=done / total if total else 0.0, latest_event_at=max([latest(job), *times]),
        finalizing=run is not None and 0 < total == done and job.status not in ENDS,
    )  # fmt: skip


def _times(one: FragmentRun) -> list[datetime]:
    """When something happened to a fragment."""
    of_attempts = (at for attempt in one.attempts for at in (attempt.assigned_at, attempt.started_at, attempt.ended_at))
    return [*(at for at in of_attempts if at is not None), *(place.changed_at for place in one.reservations)]


@coordinator.route("GET", f"{API}jobs/{{id}}", P.JOBS_READ, {200: CoordinatorJob}, query=CoordinatorJobQuery)
async def coordinator_job(call: Call, q: CoordinatorJobQuery) -> CoordinatorJob:
    """A job with its fragments and its result."""
    return await look(call.lab, call.person, call.path["id"], q.result_detail)


async def look(lab: Lab, person: Principal, job_id: str, detail: Detail | None = None) -> CoordinatorJob:
    """A job as it is now; without ``detail`` its ``quantum_result``, which takes a process to compute, is left out.

    Raises
    ------
    NotFound
        there is none that ``person`` may see, or it is no circuit's.
    """
    job = await lab.jobs.get(person, job_id)
    text = await text_of(lab, person, job) if job.parent is None else None
    if text is None:
        raise NotFound(f"There is no job {job.id} of one circuit.", code="unknown_job")
    run = await run_of(lab, person, job)
    progress = progress_of(job, run)
    result = CoordinatorResult(
        job_id=job.id, fragment_results=[_itself(job)] if run is None else [_fragment(one) for one in run.fragments],
        quantum_result=await quantum_result(lab, person, job, run, detail)
        if detail is not None and job.status == "completed" else None,
    )  # fmt: skip
    return CoordinatorJob(
        job_id=job.id, status=state_of(job, run), plan_id=_plan_id(run), error=error_of(job),
        error_detail=job.error, result=result, progress=progress,
        circuit_text=text, created_at=job.submitted_at,
        updated_at=progress.latest_event_at,
    )  # fmt: skip


def _itself(job: JobModel) -> FragmentResult:
    """A job without a plan as its own only fragment."""
    return FragmentResult(
        fragment_id=fragment_id(0), node_id=job.qpu, status=state_of(job, None), attempts=job.attempt,
        started_at=job.started_at, finished_at=job.ended_at, observed_fidelity=None, below_min_fidelity=False,
        error=error_of(job), reservation_id=None, execution_id=job.id, block=0,
    )  # fmt: skip


def _fragment(one: FragmentRun) -> FragmentResult:
    own = [place for place in one.reservations if place.id.startswith(f"{one.job_id}.")]
    place = own[-1] if own else None
    started = [attempt.started_at for attempt in one.attempts if attempt.started_at is not None]
    return FragmentResult(
        fragment_id=fragment_id(one.index), node_id=one.qpu, status=fragment_state(one), attempts=len(one.attempts),
        started_at=started[0] if started else None,
        finished_at=one.attempts[-1].ended_at if one.status in ENDS and one.attempts else None,
        observed_fidelity=one.esp if one.observed_esp is None else one.observed_esp, below_min_fidelity=one.below,
        error=None if one.error is None else one.error.message,
        reservation_id=None if place is None else place.id, execution_id=one.job_id, block=one.index,
    )  # fmt: skip


async def quantum_result(
    lab: Lab, person: Principal, job: JobModel, run: PlanRun | None, detail: Detail
) -> dict[str, Any]:
    """What was measured, and what is exact of a circuit that is small enough; ``problem`` says why something is not."""
    found = await lab.analyses.of(person, job.id, run)
    return found if detail == "full" else {name: value for name, value in found.items() if name not in GROWING}
