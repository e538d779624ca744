"""Portfolios: a job of the lab with the circuits of one layer of QAOA, and the exact answer beside it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, field

from qpi_jupyter.core import DEFAULT_SHOTS, Conflict, NotFound, Rejected, existing, unpack
from qpi_jupyter.core import Permission as P
from qpi_jupyter.wire.jobs import JobModel, SubmitRequest
from qpi_jupyter.wire.rest import Answer, Label, OptionsIn, ProgramIn
from qpi_server.web.table import Call

from .base import API, Body, Query, coordinator
from .portfolio import GRID, MARK, MAX_ASSETS, Figure, Found, Problem, circuits, exact, from_prices, problem_of, sampled
from .views import error_of, latest

TAG = "portfolio"
"""Of every such job."""
KIND = "portfolio_optimization"
MAX_CSV_CHARS = 1 << 20
FinanceStatus = Literal["analyzing", "completed", "failed"]
_STATUS: dict[str, FinanceStatus] = {"completed": "completed", "failed": "failed", "cancelled": "failed"}


class PortfolioIn(Body):
    """``POST finance/submit``: prices as a table (``csv``), or the figures themselves. Without ``budget`` half of the
    assets are held."""

    filename: Label = ""
    csv: Annotated[str, Meta(max_length=MAX_CSV_CHARS)] = ""
    assets: Annotated[list[Label], Meta(max_length=MAX_ASSETS)] = field(default_factory=list)
    expected_returns: Annotated[list[Figure], Meta(max_length=MAX_ASSETS)] = field(default_factory=list)
    covariance: Annotated[list[Annotated[list[Figure], Meta(max_length=MAX_ASSETS)]], Meta(max_length=MAX_ASSETS)] = (
        field(default_factory=list)
    )
    budget: Annotated[int, Meta(ge=1, lt=MAX_ASSETS)] | None = None
    risk_aversion: Annotated[float, Meta(ge=0, le=1e6)] = 0.5
    shots: Annotated[int, Meta(ge=1, le=1_000_000)] = DEFAULT_SHOTS
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    qpu: Label | None = None

    def problem(self) -> Problem:
        """What it asks for.

        Raises
        ------
        Rejected
            it is no table of prices, or figures that do not fit together.
        """
        if bool(self.csv) == bool(self.assets):
            raise Rejected("Send prices as csv, or assets with expected_returns and covariance.", code="bad_portfolio")
        if self.csv:
            return from_prices(
                self.csv, budget=self.budget, risk_aversion=self.risk_aversion, filename=self.filename
            )  # fmt: skip
        made = {
            "assets": self.assets, "expected_returns": self.expected_returns, "covariance": self.covariance,
            "budget": self.budget or max(1, len(self.assets) // 2), "risk_aversion": self.risk_aversion,
            "filename": self.filename,
        }  # fmt: skip
        return problem_of(msgspec.json.encode(made))


class PortfolioAccepted(Answer):
    """What is answered at once."""

    job_id: str
    status: FinanceStatus
    problem_type: str = KIND


class PortfolioLine(Answer):
    """A portfolio in the list: ``row_count`` and ``col_count`` are of its table of prices."""

    job_id: str
    filename: str
    problem_type: str
    status: FinanceStatus
    row_count: int | None
    col_count: int | None
    error: str | None
    created_at: datetime
    updated_at: datetime


class PortfolioJob(PortfolioLine):
    """``GET finance/{id}``: ``result`` is what the circuits gave."""

    result: dict[str, Any] | None = None


class Comparison(Answer):
    """``GET finance/{id}/comparison``: ``gap`` is by how much the quantum answer's objective is above the exact one's
    (0: it is the same); None where no shot held the right number of assets."""

    job_id: str
    problem_type: str
    quantum: dict[str, Any]
    classical: dict[str, Any]
    gap: float | None
    random_guess_probability: float
    """Of the exact answer, where a choice of the right number is taken at random."""


class FinanceQuery(Query):
    """``GET finance``: one's own, newest first."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20


@coordinator.route("POST", f"{API}finance/submit", P.JOBS_SUBMIT, {201: PortfolioAccepted}, body=PortfolioIn,
                   refuses=(507,))  # fmt: skip
async def submit_portfolio(call: Call, wanted: PortfolioIn) -> PortfolioAccepted:
    """Submit a choice of assets."""
    job = await submit(call, wanted)
    return PortfolioAccepted(job_id=job.id, status="analyzing")


async def submit(call: Call, wanted: PortfolioIn, *, project: str = "") -> JobModel:
    """The job of a portfolio."""
    problem = await asyncio.to_thread(wanted.problem)
    texts = await asyncio.to_thread(circuits, problem)
    job, _ = await call.lab.jobs.submit(
        call.person,
        SubmitRequest(
            program=ProgramIn(format="openqasm3", sources=texts),
            options=OptionsIn(shots=wanted.shots, seed_simulator=wanted.seed),
            qpu=wanted.qpu, name=f"Portfolio of {len(problem.assets)} assets", tags=[TAG], project=project,
        ),
    )  # fmt: skip
    return job


@coordinator.route("GET", f"{API}finance", P.JOBS_READ, {200: "application/json"}, query=FinanceQuery)
async def list_portfolios(call: Call, q: FinanceQuery) -> list[PortfolioLine]:
    """One's own portfolios, newest first."""
    page = await call.lab.jobs.list(call.person, limit=q.limit, tag=[TAG])
    found = []
    for job in page.jobs:
        if (problem := await problem_of_job(call, job)) is not None:
            found.append(PortfolioLine(**_line(job, problem)))
    return found


async def problem_of_job(call: Call, job: JobModel) -> Problem | None:
    """The problem that a job's circuits are of; None where they are of none: anybody may write what they like."""
    first, *_ = unpack(await call.lab.jobs.program(call.person, job.id))
    head, _, _ = first.partition(b"\n")
    mark = MARK.encode()
    try:
        return problem_of(head.removeprefix(mark)) if TAG in job.tags and head.startswith(mark) else None
    except Rejected:
        return None


def _line(job: JobModel, problem: Problem) -> dict[str, Any]:
    """The fields of `PortfolioLine`; ``Any``: they have different types."""
    return {
        "job_id": job.id, "filename": problem.filename, "problem_type": KIND, "status": finance_status(job),
        "row_count": problem.rows or None, "col_count": len(problem.assets), "error": error_of(job),
        "created_at": job.submitted_at, "updated_at": latest(job),
    }  # fmt: skip


def finance_status(job: JobModel) -> FinanceStatus:
    """The state of a portfolio."""
    return _STATUS.get(job.status, "analyzing")


async def portfolio(call: Call, job_id: str) -> tuple[JobModel, Problem]:
    """A portfolio's job and its problem.

    Raises
    ------
    NotFound
        there is none of that id.
    """
    job = await call.lab.jobs.get(call.person, job_id)
    problem = existing(
        await problem_of_job(call, job), NotFound(f"There is no portfolio {job_id}.", code="unknown_job")
    )
    return job, problem


@coordinator.route("GET", f"{API}finance/{{id}}", P.JOBS_READ, {200: PortfolioJob})
async def get_portfolio(call: Call) -> PortfolioJob:
    """A portfolio, with what its circuits gave once they have run."""
    job, problem = await portfolio(call, call.path["id"])
    return PortfolioJob(**_line(job, problem), result=await quantum_answer(call, job, problem))


async def quantum_answer(call: Call, job: JobModel, problem: Problem) -> dict[str, Any] | None:
    """What the circuits gave; None before they have run."""
    return await _answer(call, job, problem) if job.status == "completed" else None


async def _answer(call: Call, job: JobModel, problem: Problem) -> dict[str, Any]:
    """What the circuits gave.

    Raises
    ------
    Conflict
        they have not run, or gave something else than counts.
    """
    raw = await call.lab.jobs.result(call.person, job.id)
    counts = [{int(key, 16): n for key, n in one["data"].get("counts", {}).items()} for one in raw["results"]]
    if len(counts) != GRID**2 or not all(counts):
        raise Conflict(f"The result of {job.id} has no counts.", code="no_counts")
    found = await asyncio.to_thread(sampled, problem, counts)
    return {
        "assets": problem.assets, "budget": problem.budget, "risk_aversion": problem.risk_aversion,
        "selection": _selection(problem, found.best),
        "angles": {"gamma": found.gamma, "beta": found.beta}, "mean_energy": found.mean_energy,
        "feasible_probability": found.feasible, "optimum_probability": found.optimum,
        "circuits": job.num_circuits, "shots": job.shots, "qpu": job.qpu, "busy_s": job.busy_s,
    }  # fmt: skip


def _selection(problem: Problem, found: Found | None) -> dict[str, Any] | None:
    return None if found is None else {**asdict(found), "assets": problem.names(found.choice)}


@coordinator.route("GET", f"{API}finance/{{id}}/comparison", P.JOBS_READ, {200: Comparison}, refuses=(409,))
async def compare_portfolio(call: Call) -> Comparison:
    """What the circuits gave, beside the exact answer."""
    return await compare(call, *await portfolio(call, call.path["id"]))


async def compare(call: Call, job: JobModel, problem: Problem) -> Comparison:
    """The comparison of a portfolio.

    Raises
    ------
    Conflict
        its circuits have not run.
    """
    quantum = await _answer(call, job, problem)
    began = time.perf_counter()
    best, evaluated = await asyncio.to_thread(exact, problem)
    took_s = time.perf_counter() - began
    selection = quantum["selection"]
    return Comparison(
        job_id=job.id, problem_type=KIND, quantum=quantum,
        classical={"selection": _selection(problem, best), "evaluated": evaluated, "seconds": took_s},
        gap=None if selection is None else selection["objective"] - best.objective,
        random_guess_probability=1 / evaluated,
    )  # fmt: skip
