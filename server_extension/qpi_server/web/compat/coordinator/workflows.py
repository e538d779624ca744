"""Workflow runs and benchmarks: a run is a job of a known kind; a benchmark says how two ways to one answer compare.

Nothing is kept of them but their jobs: a benchmark of a circuit's run is the job that ran the same circuit on one QPU.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from qpi_jupyter.core import NotFound, existing
from qpi_jupyter.core import Permission as P
from qpi_jupyter.wire.jobs import JobModel, SubmitRequest
from qpi_jupyter.wire.rest import Answer, Label, OptionsIn, ProgramIn
from qpi_jupyter.wire.validation import refused
from qpi_server.web.table import Call

from .base import API, Body, coordinator
from .finance import TAG as PORTFOLIO
from .finance import PortfolioIn, compare, problem_of_job
from .finance import submit as submit_portfolio
from .jobs import CoordinatorCircuit, CoordinatorJob, look, submit
from .views import error_of

Definition = Literal["circuit", "portfolio"]
RunStatus = Literal["submitted", "running", "completed", "failed"]
_STATUS: dict[str, RunStatus] = {
    "pending": "submitted", "running": "running", "completed": "completed", "failed": "failed", "cancelled": "failed",
}  # fmt: skip
OF = "benchmark:"
"""Begins the tag that says which run a job is the benchmark of."""
T = TypeVar("T", bound=Struct)


class RunIn(Body, kw_only=True):
    """``POST workflows/runs``: ``input_snapshot`` is the body of ``circuits/submit`` or of ``finance/submit``."""

    workflow_definition_id: Definition
    workflow_type: Literal["quantum_circuit"] = "quantum_circuit"
    project_id: Label | None = None
    """The project of its job."""
    input_snapshot: dict[str, Any]


class Run(Answer):
    """A run, which is the job of the same id."""

    run_id: str
    workflow_definition_id: Definition
    workflow_type: Literal["quantum_circuit"]
    owner_user_id: str
    project_id: str | None
    status: RunStatus
    error: str | None
    fragment_count: int
    completed_fragments: int
    failed_fragments: int
    fragment_success_rate: float
    submitted_at: datetime
    started_at: datetime | None
    completed_at: datetime | None


class BenchmarkIn(Body):
    """``POST workflows/benchmarks``: of a circuit's run, the same circuit runs on one QPU; of a portfolio's, the exact
    answer is computed."""

    workflow_run_id: Label
    benchmark_family: Label = "distributed-centralized"
    """The name of the job on one QPU."""
    qpu: Label | None = None
    """Where a circuit runs as a whole; else the lab chooses."""


class Benchmark(Answer):
    """A benchmark; its metrics are there once both ways are through."""

    benchmark_id: str
    benchmark_family: str
    workflow_run_id: str
    status: RunStatus
    quantum_metrics: dict[str, Any] | None
    """Of the run."""
    classical_metrics: dict[str, Any] | None
    """Of the exact answer; None where the other way is a QPU, too."""
    centralized_metrics: dict[str, Any] | None
    """Of the same circuit on one QPU; None where there is none."""
    comparison_summary: dict[str, Any]
    submitted_at: datetime
    completed_at: datetime | None


@coordinator.route("POST", f"{API}workflows/runs", P.JOBS_SUBMIT, {201: Run}, body=RunIn, refuses=(507,))
async def submit_run(call: Call, wanted: RunIn) -> Run:
    """Submit a run of a circuit, or of a portfolio."""
    project = wanted.project_id or ""
    if wanted.workflow_definition_id == "portfolio":
        job = await submit_portfolio(call, _input(wanted, PortfolioIn), project=project)
    else:
        job = await submit(call, _input(wanted, CoordinatorCircuit), project=project)
    return await _run(call, job)


def _input(wanted: RunIn, kind: type[T]) -> T:
    try:
        return msgspec.convert(wanted.input_snapshot, type=kind)
    except msgspec.ValidationError as error:
        raise refused(error, kind, code="bad_request", whole="input_snapshot") from error


@coordinator.route("GET", f"{API}workflows/runs/{{id}}", P.JOBS_READ, {200: Run})
async def get_run(call: Call) -> Run:
    """A run."""
    return await _run(call, await call.lab.jobs.get(call.person, call.path["id"]))


async def _run(call: Call, job: JobModel) -> Run:
    portfolio = await problem_of_job(call, job) is not None
    if portfolio:
        total, done = 1, int(job.status == "completed")
        failed = int(_STATUS[job.status] == "failed")
    else:
        seen = await look(call.lab, call.person, job.id)
        fragments = seen.result.fragment_results
        total, done = seen.progress.total_fragments, seen.progress.completed_fragments
        failed = sum(one.status == "FAILED" for one in fragments)
    return Run(
        run_id=job.id, workflow_definition_id="portfolio" if portfolio else "circuit",
        workflow_type="quantum_circuit", owner_user_id=job.owner, project_id=job.project or None,
        status=_STATUS[job.status], error=error_of(job), fragment_count=total, completed_fragments=done,
        failed_fragments=failed, fragment_success_rate=done / total if total else 0.0, submitted_at=job.submitted_at,
        started_at=job.started_at, completed_at=job.ended_at,
    )  # fmt: skip


@coordinator.route("POST", f"{API}workflows/benchmarks", P.JOBS_SUBMIT, {201: Benchmark}, body=BenchmarkIn,
                   refuses=(507,))  # fmt: skip
async def start_benchmark(call: Call, wanted: BenchmarkIn) -> Benchmark:
    """Run the other way to the answer of a run, to compare them."""
    run = await call.lab.jobs.get(call.person, wanted.workflow_run_id)
    if await problem_of_job(call, run) is not None:
        return await _of_portfolio(call, run)
    seen = await look(call.lab, call.person, run.id)
    options = await call.lab.jobs.options(call.person, run.id)
    job, _ = await call.lab.jobs.submit(
        call.person,
        SubmitRequest(
            program=ProgramIn(format=run.format, sources=[seen.circuit_text]),
            options=OptionsIn(shots=options.shots, seed_simulator=options.seed_simulator), qpu=wanted.qpu,
            name=wanted.benchmark_family, tags=[f"{OF}{run.id}"], project=run.project,
        ),
    )  # fmt: skip
    return await _of_circuit(call, job)


@coordinator.route("GET", f"{API}workflows/benchmarks/{{id}}", P.JOBS_READ, {200: Benchmark})
async def get_benchmark(call: Call) -> Benchmark:
    """A benchmark."""
    job = await call.lab.jobs.get(call.person, call.path["id"])
    if await problem_of_job(call, job) is not None:
        return await _of_portfolio(call, job)
    return await _of_circuit(call, job)


async def _of_portfolio(call: Call, job: JobModel) -> Benchmark:
    """The circuits of a portfolio beside its exact answer."""
    problem = await problem_of_job(call, job)
    assert problem is not None
    found = await compare(call, job, problem) if job.status == "completed" else None
    return Benchmark(
        benchmark_id=job.id, benchmark_family=PORTFOLIO, workflow_run_id=job.id, status=_STATUS[job.status],
        quantum_metrics=None if found is None else {**found.quantum, "latency_s": _latency(job)},
        classical_metrics=None if found is None else found.classical, centralized_metrics=None,
        comparison_summary={} if found is None else {
            "gap": found.gap, "optimum_probability": found.quantum["optimum_probability"],
            "random_guess_probability": found.random_guess_probability,
        },
        submitted_at=job.submitted_at, completed_at=job.ended_at,
    )  # fmt: skip


async def _of_circuit(call: Call, job: JobModel) -> Benchmark:
    """A circuit over several QPUs beside the same circuit on one."""
    of = existing(
        next((tag.removeprefix(OF) for tag in job.tags if tag.startswith(OF)), None),
        NotFound(f"There is no benchmark {job.id}.", code="unknown_job"),
    )
    run = await call.lab.jobs.get(call.person, of)
    there = await look(call.lab, call.person, run.id)
    here = await look(call.lab, call.person, job.id)
    ends = {_STATUS[one.status] for one in (run, job)}
    both = ends == {"completed"}
    one, other = _metrics(run, there), _metrics(job, here)
    return Benchmark(
        benchmark_id=job.id, benchmark_family=job.name, workflow_run_id=run.id,
        status="failed" if "failed" in ends else "completed" if both else "running",
        quantum_metrics=one if both else None, classical_metrics=None, centralized_metrics=other if both else None,
        comparison_summary=_summary(one, other) if both else {},
        submitted_at=job.submitted_at, completed_at=max(run.ended_at, job.ended_at) if both else None,  # type: ignore[type-var]
    )  # fmt: skip


def _metrics(job: JobModel, seen: CoordinatorJob) -> dict[str, Any]:
    fragments = seen.result.fragment_results
    known = [one.observed_fidelity for one in fragments if one.observed_fidelity is not None]
    fidelity = 1.0
    for one in known:
        fidelity *= one
    return {
        "latency_s": _latency(job), "fragments": len(fragments),
        "qpus": sorted({str(one.node_id) for one in fragments}), "attempts": sum(one.attempts for one in fragments),
        "success_rate": seen.progress.completion_ratio,
        "estimated_fidelity": fidelity if len(known) == len(fragments) else None,
    }  # fmt: skip


def _summary(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    fidelities = one["estimated_fidelity"], other["estimated_fidelity"]
    return {
        "latency_ratio": one["latency_s"] / other["latency_s"] if other["latency_s"] else None,
        "fidelity_delta": None if None in fidelities else fidelities[0] - fidelities[1],
    }


def _latency(job: JobModel) -> float | None:
    return None if job.ended_at is None else (job.ended_at - job.submitted_at).total_seconds()
