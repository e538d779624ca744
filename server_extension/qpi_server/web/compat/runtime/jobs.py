"""Jobs of the primitives: a job of the lab each, whose pubs travel unread to the QPU that runs them."""

from __future__ import annotations

import asyncio
import math
import zipfile
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType, field

from qpi_jupyter.core import PRIMITIVE_RESULT, Conflict, NotFound, ProgramError, Rejected, Unavailable, existing, unpack
from qpi_jupyter.core import Permission as P
from qpi_jupyter.wire.jobs import JobChange, JobModel, OriginIn, RuntimeCost, RuntimeOrigin, SubmitRequest
from qpi_jupyter.wire.rest import Answer, OptionsIn, ProgramIn, Tags
from qpi_jupyter.wire.validation import Timed, refused
from qpi_server.web.table import Call, Reply

from .backends import found
from .base import EXECUTOR, FORMATS, PROGRAMS, ROOT, SAMPLER, Body, runtime, stamp
from .own import PAGE, asked_for, own_job, own_jobs
from .sessions import enter

HOLD_S = 0.4
"""How long an answer about a job waits for its end: the client asks twice a second, and its ``timeout`` counts."""
TEXT = "text/plain"
TIMED_OUT = 1305
"""The reason code by which IBM's client tells that a job took longer than it may."""
DEFAULT_SHOTS, DEFAULT_PRECISION = 4096, 0.015625
"""IBM's own."""
_STATUS = {"pending": "Queued", "running": "Running", "completed": "Completed", "failed": "Failed"}
_LATE = "check_timeout"
"""What an agent says of a check that took too long. It may be the machine's fault: at 503, IBM's client asks again."""
_NULL = Raw(b"null")
_LEVEL = "WARNING"
"""The log level of who says nothing."""
_MAX_EXECUTION_TIME = "max_execution_time"


class RuntimeJobIn(Body, kw_only=True):
    """``POST jobs``."""

    program_id: str
    backend: Annotated[str, Meta(max_length=200)] = ""
    params: Raw
    session_id: str | None = None
    tags: Tags | None = None
    cost: RuntimeCost | None = None
    private: bool = False
    runtime: Annotated[str, Meta(max_length=500)] = ""
    log_level: Annotated[str, Meta(max_length=50)] = ""

    @property
    def not_applied(self) -> list[str]:
        """Runtime options that are set and change nothing: the lab has one image, and a log that is short and whole."""
        named = {"environment.image": bool(self.runtime), "environment.log_level": self.log_level not in ("", _LEVEL)}
        return [name for name, is_set in named.items() if is_set]


class RuntimeAccepted(Answer):
    """What is answered at once."""

    id: str
    backend: str
    session_id: str | None
    private: bool = False


class JobStateOut(Answer):
    """How a job is; why, where it failed."""

    status: str
    reason: str | UnsetType = UNSET
    reason_code: int | UnsetType = UNSET


class ProgramOut(Answer):
    """Which primitive."""

    id: str


class RuntimeJob(Answer):
    """A job. ``params`` are its pubs and options, as they were sent."""

    id: str
    backend: str
    program: ProgramOut
    state: JobStateOut
    status: str
    created: str | None
    ended: str | None
    cost: int
    user_id: str
    session_id: str | None
    tags: list[str]
    estimated_running_time_seconds: float | None
    runtime: str = ""
    private: bool = False
    params: Raw | UnsetType = UNSET


class RuntimeJobs(Answer):
    """A page of jobs; ``count`` is how many there are in all."""

    jobs: list[RuntimeJob]
    count: int
    limit: int
    offset: int


class RuntimeJobQuery(Body):
    """``GET jobs/{id}``."""

    exclude_params: bool = False


class RuntimeJobsQuery(Timed, Body):
    """``GET jobs``: all of ``tags``; ``pending`` are those that have not ended."""

    limit: Annotated[int, Meta(ge=1, le=PAGE)] = 200
    offset: Annotated[int, Meta(ge=0)] = 0
    backend: str | None = None
    program: str | None = None
    pending: bool | None = None
    tags: list[str] = field(default_factory=list)
    session_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    sort: Literal["ASC", "DESC"] = "DESC"


class RuntimeTags(Body):
    """``PUT jobs/{id}/tags``."""

    tags: Tags


class RuntimeMetrics(Answer):
    """Times and cost of a job."""

    timestamps: dict[str, str | None]
    usage: dict[str, float | str]
    bss: dict[str, float]
    num_circuits: int
    position_in_queue: int | None
    estimated_start_time: str | None
    estimated_completion_time: str | None


class _Source(Body):
    """A program of the lab, as `qpi_jupyter.data.primitives` reads it."""

    backend: str
    params: Raw
    max_execution_time: int | None = None
    default_shots: int = DEFAULT_SHOTS


class _QuantumProgram(Body):
    """What of a quantum program has to be known here; what it passes through comes back with its result."""

    shots: Raw = _NULL
    passthrough_data: Raw = _NULL
    semantic_role: Raw = _NULL


class _Sent(Body):
    """What of a program is shown again; only its params are needed, however the job came."""

    params: Raw


class _Params(Body):
    """What of the params has to be known here: the shots; everything else is for the QPU to read."""

    pubs: list[list[Raw]] = field(default_factory=list)
    options: dict[str, Raw] = field(default_factory=dict)
    shots: Raw = _NULL
    precision: Raw = _NULL
    quantum_program: _QuantumProgram | None = None


@runtime.route("POST", f"{ROOT}/jobs", P.JOBS_SUBMIT, {200: RuntimeAccepted}, body=RuntimeJobIn, refuses=(400, 507))
async def runtime_submit(call: Call, wanted: RuntimeJobIn) -> RuntimeAccepted:
    """Submit pubs to a primitive."""
    missing = f"This lab has no program {wanted.program_id!r}: it runs {' and '.join(FORMATS)}."
    # To IBM's client, 404 means this and nothing else.
    form = existing(FORMATS.get(wanted.program_id), NotFound(missing, code="unknown_program"))
    try:
        backend, qpu = await found(call, wanted.backend)
        if wanted.session_id is not None:
            await enter(call, wanted.session_id, backend)
        source = _Source(backend=backend, params=wanted.params, max_execution_time=wanted.cost)
        origin = RuntimeOrigin(
            backend=backend, session_id=wanted.session_id, cost=wanted.cost, private=wanted.private,
            not_applied=wanted.not_applied,
        )  # fmt: skip
        job, _ = await call.lab.jobs.submit(
            call.person,
            SubmitRequest(
                program=ProgramIn(format=form, data=[msgspec.json.encode(source)]),
                options=OptionsIn(shots=_most_shots(form, wanted.params)),
                qpu=qpu.name, name=wanted.program_id if backend == qpu.name else f"{wanted.program_id} on {backend}",
                tags=wanted.tags or [], origin=OriginIn(runtime=origin),
            ),
        )  # fmt: skip
    except NotFound as error:
        raise Rejected(error.message, code=error.code) from error
    except ProgramError as error:
        if error.code != _LATE:
            raise
        message = (
            f"{qpu.name} was too slow to check the job. Try again; if that does not help, send fewer pubs in one job."
        )
        raise Unavailable(message, code=_LATE) from error
    return RuntimeAccepted(id=job.id, backend=backend, session_id=wanted.session_id, private=wanted.private)


def _most_shots(form: str, raw: Raw) -> int:
    """The most shots of a pub, for what the lab checks of every job; what is no number, the QPU refuses."""
    try:
        params = msgspec.json.decode(raw, type=_Params)
    except msgspec.ValidationError as error:
        raise refused(error, _Params, code="bad_pub", whole="The params") from error
    if form == EXECUTOR:
        return int((params.quantum_program and _number(params.quantum_program.shots)) or 1)
    options = params.options
    default_shots = _twirled_shots(options.get("twirling", _NULL)) or _number(options.get("default_shots"))
    if form == SAMPLER:
        most = _number(params.shots) or default_shots or DEFAULT_SHOTS
        return int(max((_number(pub[2]) if len(pub) > 2 else None) or most for pub in params.pubs or [[]]))
    usual = _number(params.precision) or (1 / math.sqrt(default_shots) if default_shots and default_shots > 0 else None)
    usual = usual or _number(options.get("default_precision")) or DEFAULT_PRECISION
    finest = min((_number(pub[3]) if len(pub) > 3 else None) or usual for pub in params.pubs or [[]])
    # A default in shots is a rounded square root: that one shot more is no more than asked for.
    return 1 if finest <= 0 else max(1, math.ceil(min((1 / max(finest, 1e-9)) ** 2, 1e18)))


def _twirled_shots(raw: Raw) -> float | None:
    """Those of both numbers of the twirling options, which go before the defaults where something is twirled."""
    try:
        told = msgspec.json.decode(raw, type=dict[str, Raw])
    except msgspec.MsgspecError:
        return None
    on = any(bytes(told.get(name, _NULL)) == b"true" for name in ("enable_gates", "enable_measure"))
    numbers = [_number(told.get(name)) for name in ("num_randomizations", "shots_per_randomization")]
    return math.prod(max(0, min(number or 0, 1e9)) for number in numbers) if on else None


def _number(raw: Raw | None) -> float | None:
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw, type=float)
    except msgspec.MsgspecError:
        return None


@runtime.route("GET", f"{ROOT}/jobs", P.JOBS_READ, {200: RuntimeJobs}, query=RuntimeJobsQuery)
async def runtime_jobs(call: Call, query: RuntimeJobsQuery) -> RuntimeJobs:
    """One's own jobs of the primitives, newest first."""
    jobs = await own_jobs(call, lambda job: _matches(job, query), tag=query.tags)
    if query.sort == "ASC":
        jobs.reverse()
    page = jobs[query.offset : query.offset + query.limit]
    return RuntimeJobs(jobs=[_shown(job) for job in page], count=len(jobs), limit=query.limit, offset=query.offset)


def _matches(job: JobModel, query: RuntimeJobsQuery) -> bool:
    asked = asked_for(job)
    return (
        (query.backend is None or asked.backend == query.backend)
        and (query.program is None or PROGRAMS[job.format] == query.program)
        and (query.pending is None or query.pending == (job.ended_at is None))
        and (query.session_id is None or asked.session_id == query.session_id)
        and (query.created_after is None or job.submitted_at >= query.created_after)
        and (query.created_before is None or job.submitted_at <= query.created_before)
    )


@runtime.route("GET", f"{ROOT}/jobs/{{id}}", P.JOBS_READ, {200: RuntimeJob}, query=RuntimeJobQuery)
async def runtime_job(call: Call, query: RuntimeJobQuery) -> RuntimeJob:
    """One job; while it has not ended, the answer waits a moment for that."""
    job = await own_job(call, wait_s=HOLD_S if query.exclude_params else 0.0)
    shown = _shown(job)
    if not query.exclude_params and not shown.private:
        source, *_ = unpack(await call.lab.jobs.program(call.person, job.id))
        with suppress(msgspec.MsgspecError):  # by the lab's own surface it may have come in words that no JSON has: NaN
            shown.params = msgspec.json.decode(source, type=_Sent).params
    return shown


@runtime.route("DELETE", f"{ROOT}/jobs/{{id}}", P.JOBS_EDIT, {204: ""})
async def runtime_delete(call: Call) -> None:
    """Delete a job that has ended."""
    await call.lab.jobs.delete(call.person, (await own_job(call)).id)


@runtime.route("POST", f"{ROOT}/jobs/{{id}}/cancel", P.JOBS_CANCEL, {204: ""})
async def runtime_cancel(call: Call) -> None:
    """Ask for a job's end."""
    job = await own_job(call)
    if job.ended_at is not None:
        raise Conflict(f"Job {job.id} has ended already: it is {job.status}.", code="job_final")
    await call.lab.jobs.cancel(call.person, job.id)


@runtime.route("GET", f"{ROOT}/jobs/{{id}}/results", P.JOBS_READ, {200: TEXT, 204: ""})
async def runtime_results(call: Call) -> Reply:
    """The result in IBM's encoding; of a failed job, why; nothing while it runs. A private job is deleted once its
    result was sent: what broke off on the way can be asked for again."""
    job = await own_job(call)
    if job.status == "completed":
        path, _ = await call.lab.jobs.dataset(call.person, job.id)
        source = None
        if job.format == EXECUTOR:
            source, *_ = unpack(await call.lab.jobs.program(call.person, job.id))
        body = await asyncio.to_thread(_primitive_result, path, source)
        sent = partial(call.lab.jobs.delete, call.person, job.id) if asked_for(job).private else None
        return Reply(body=body, media_type=TEXT, sent=sent)
    if job.ended_at is None:
        return Reply(status=204)
    return Reply(body=_reason(job).encode(), media_type=TEXT)


def _primitive_result(path: Path, source: bytes | None) -> bytes:
    """The result in its archive; of a quantum program, with what its ``source`` passes through."""
    with zipfile.ZipFile(path) as archive:
        result = archive.read(PRIMITIVE_RESULT)
    if source is None:
        return result
    program = None
    with suppress(msgspec.MsgspecError):  # as above
        program = msgspec.json.decode(msgspec.json.decode(source, type=_Sent).params, type=_Params).quantum_program
    program = program or _QuantumProgram()
    passed = {"passthrough_data": program.passthrough_data, "semantic_role": program.semantic_role}
    return msgspec.json.encode(msgspec.json.decode(result, type=dict[str, Raw]) | passed)


@runtime.route("GET", f"{ROOT}/jobs/{{id}}/metrics", P.JOBS_READ, {200: RuntimeMetrics})
async def runtime_metrics(call: Call) -> RuntimeMetrics:
    """What a job cost, and when it waited and ran."""
    job = await own_job(call)
    busy_s, eta = job.busy_s or 0.0, job.eta
    known = eta is not None and eta.known
    return RuntimeMetrics(
        timestamps={
            "created": stamp(job.submitted_at), "running": stamp(job.started_at), "finished": stamp(job.ended_at),
        },
        usage={
            "quantum_seconds": busy_s, "seconds": busy_s, "qpu_charge_time_seconds": busy_s,
            "status": "pending" if job.ended_at is None else "final",
        },
        bss={"seconds": busy_s},
        num_circuits=job.num_circuits,
        position_in_queue=None if job.reason is None else job.reason.position,
        estimated_start_time=stamp(eta.likely_at) if eta is not None and known and eta.of == "start" else None,
        estimated_completion_time=stamp(eta.likely_at) if eta is not None and known and eta.of == "end" else None,
    )  # fmt: skip


@runtime.route("GET", f"{ROOT}/jobs/{{id}}/logs", P.JOBS_READ, {200: TEXT})
async def runtime_logs(call: Call) -> Reply:
    """What happened to a job, and which of its options were not applied."""
    job = await own_job(call)
    found = await call.lab.jobs.provenance(call.person, job.id)
    lines = [f"{stamp(job.submitted_at)} submitted to {job.qpu}"]
    lines += [f"options.{name} was not applied" for name in found.not_applied]
    lines += [f"{stamp(job.started_at)} started"] if job.started_at is not None else []
    if job.ended_at is not None:
        why = f": {_reason(job)}" if job.error is not None else ""
        lines.append(f"{stamp(job.ended_at)} {job.status}{why}")
    return Reply(body="".join(f"{line}\n" for line in lines).encode(), media_type=TEXT)


@runtime.route("PUT", f"{ROOT}/jobs/{{id}}/tags", P.JOBS_EDIT, {204: ""}, body=RuntimeTags)
async def runtime_tags(call: Call, wanted: RuntimeTags) -> None:
    """Give a job other tags."""
    await call.lab.jobs.change(call.person, (await own_job(call)).id, JobChange(tags=wanted.tags))


def _shown(job: JobModel) -> RuntimeJob:
    asked, state = asked_for(job), _state(job)
    return RuntimeJob(
        id=job.id, backend=asked.backend, program=ProgramOut(id=PROGRAMS[job.format]), state=state, status=state.status,
        created=stamp(job.submitted_at), ended=stamp(job.ended_at), cost=asked.cost or 0, user_id=job.owner,
        session_id=asked.session_id, tags=job.tags, private=asked.private,
        estimated_running_time_seconds=job.estimate_s,
    )  # fmt: skip


def _state(job: JobModel) -> JobStateOut:
    if job.error is not None and job.error.code == _MAX_EXECUTION_TIME:
        return JobStateOut(status="Cancelled", reason=_reason(job), reason_code=TIMED_OUT)
    status = _STATUS.get(job.status, "Cancelled")
    return JobStateOut(status=status) if job.error is None else JobStateOut(status=status, reason=_reason(job))


def _reason(job: JobModel) -> str:
    return job.error.message if job.error is not None else f"The job is {job.status}."
