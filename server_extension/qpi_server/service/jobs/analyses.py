"""What the result of a circuit says, and what it should have said: to the server both are bytes, a child process reads
them."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import msgspec

from qpi_jupyter.core import Principal, limited, pack
from qpi_jupyter.core.plans import PlanKind
from qpi_jupyter.wire.plans import PlanRun
from qpi_server.service.base import Context, Joined, Turns, answer_of

from .jobs import JobService

CHILD = "qpi_executors.quantum_result"
TIMEOUT_S = 45.0
"""Of a child that starts, loads Qiskit, computes the exact state and writes; it has 30 s of processor."""
KEPT = 64
"""Analyses that are remembered."""
CHILDREN = 2
"""At once, of everybody together; one of each person."""


class AnalysisService:
    """Analyses results, on request."""

    def __init__(self, context: Context, jobs: JobService) -> None:
        self._context, self._jobs = context, jobs
        self._known: Joined[dict[str, Any]] = Joined(kept=KEPT)
        self._turns = Turns("analysing results", places=CHILDREN)

    async def of(self, principal: Principal, job_id: str, run: PlanRun | None) -> dict[str, Any]:
        """The analysis of a completed job of one circuit, as `qpi_jupyter.data.analysis.to_dict` has it, with what was
        measured of the observables that its plan was made for (``measured_expectations``: value and standard error).

        Raises
        ------
        Conflict
            the job has no result.
        TooMany
            too many analyses for ``principal`` are under way.
        """
        result = (await self._jobs.result(principal, job_id))["results"][0]
        values = _expectations(result)
        request = None if run is None or run.plan is None else run.plan.request
        asked: dict[str, Any] = {"esp": _esp(run)}
        if values is None:
            counts = (await self._jobs.get(principal, job_id)).counts
            asked["counts"] = None if counts is None else counts[0]
        if request is not None:
            asked["observables"] = list(request.observables)
        if (known := self._known.made(job_id)) is None:
            async with self._turns.turn(principal.name, free=not limited(principal)):
                known = await self._known.get(job_id, lambda: self._ask(principal, job_id, asked))
        return {**known, "shots": result["shots"], "measured_expectations": values}

    async def _ask(self, principal: Principal, job_id: str, asked: dict[str, Any]) -> dict[str, Any]:
        job = await self._jobs.get(principal, job_id)
        packed = await self._jobs.program(principal, job_id)
        given = {name: value for name, value in asked.items() if value is not None}
        question = await asyncio.to_thread(pack, (job.format.encode(), packed, msgspec.json.encode(given)))
        try:
            answer = await answer_of(CHILD, question, timeout_s=TIMEOUT_S)
            found: dict[str, Any] = await asyncio.to_thread(msgspec.json.decode, answer, type=dict[str, Any])
        except (TimeoutError, msgspec.DecodeError):
            found = {"problem": "The analysis did not come to an end: the circuit is too large for it."}
        if "counts" not in found:  # the circuit cannot be analysed: what was measured is told nevertheless
            found["counts"] = asked.get("counts")
        return found


def _esp(run: PlanRun | None) -> float | None:
    """The estimated success probability of all fragments together; None for a cut circuit, whose signs it says nothing
    about."""
    if run is None or run.plan is None or run.plan.kind is PlanKind.CUT:
        return None
    known = [one.esp if one.observed_esp is None else one.observed_esp for one in run.fragments]
    return math.prod(one for one in known if one is not None) if known and None not in known else None


def _expectations(result: dict[str, Any]) -> dict[str, dict[str, float | None]] | None:
    """Measured expectation values of a result that has them, as it draws them; None where it has counts."""
    if result["kind"] != "expectation_values":
        return None
    return {
        point["label"]: {"value": point["value"], "error": point["error"]}
        for drawing in result.get("drawings") or () for point in drawing.get("points", ())
    }  # fmt: skip
