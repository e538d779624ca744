"""The result of a plan, put together from its fragments' in a child process, and stored like a driver's."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core import (
    Event,
    EventKind,
    Faulted,
    JobState,
    QpiError,
    Unavailable,
    advance,
    check_archive,
    pack,
    unpack,
)
from qpi_jupyter.core.plans import Plan
from qpi_jupyter.wire.faultpoint import reach
from qpi_jupyter.wire.plans import AttemptModel, FragmentRun
from qpi_jupyter.wire.results import check_circuit, digest, encode_header, read_header
from qpi_server.service.base import NO_PROCESS, Context, Tx, Worker
from qpi_server.service.lifecycle import Change, carry_out, find, is_small
from qpi_server.store import JobRecord, ResultRow, facts

from .parts import Parts

CHILD = "qpi_executors.assembly"
TIMEOUT_S = 300.0
MAX_VAIN = 3
"""Tries for one result whose child comes to no end."""
IDLE_S = 60.0
"""So long the child is kept: loading what it needs takes longer than most results."""


class Pieces(NamedTuple):
    """A plan's job whose fragments have all completed, and their results in the plan's order."""

    parent: JobRecord
    plan: Plan
    parts: Parts
    results: Sequence[ResultRow]
    runs: Sequence[FragmentRun]


class Assembler:
    """Puts results together."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._vain: Counter[str] = Counter()
        self._worker = Worker(CHILD, context.clock, idle_s=IDLE_S)

    async def close(self) -> None:
        """End the child."""
        await self._worker.close()

    async def assemble(self, pieces: Pieces) -> None:
        """Store the result of a plan's job, which completes it; or end it with what went wrong.

        Raises
        ------
        TimeoutError, Unavailable
            the child came to no end, or the disk is full: try again later.
        """
        reach("plan_before_assembly")
        parent = pieces.parent.id
        try:
            header, blob = await self._made(pieces)
        except (Faulted, TimeoutError, Unavailable) as problem:
            if isinstance(problem, Unavailable) and problem.code == NO_PROCESS:
                raise
            self._vain[parent] += 1
            if not isinstance(problem, Faulted) and self._vain[parent] < MAX_VAIN:
                raise
            del self._vain[parent]
            why = "it took too long." if isinstance(problem, TimeoutError) else problem.message
            error = Faulted(f"The result was not put together: {why}", code="not_assembled")
            event = Event(kind=EventKind.DEPENDENCY_FAILED, at=self._context.now(), error=error.to_dict())
            await self._context.db.write(lambda tx: _finish(tx, parent, event, None))
            return
        with contextlib.ExitStack() as kept:
            row = await asyncio.to_thread(self._keep, pieces.parent, header, blob, kept)
            event = Event(kind=EventKind.ASSEMBLED, at=row.stored_at)
            await self._context.db.write(lambda tx: _finish(tx, parent, event, row))
        reach("plan_after_assembly")

    async def _made(self, pieces: Pieces) -> tuple[bytes, bytes]:
        """The header and the data.

        Raises
        ------
        Faulted
            they cannot be made of these results.
        """
        paths = [await asyncio.to_thread(self._context.blobs.path, row.blob_sha256) for row in pieces.results]
        fragments = [
            {"header": msgspec.Raw(row.header), "path": str(path)}
            for row, path in zip(pieces.results, paths, strict=True)
        ]
        asked = {
            "name": pieces.parent.name or pieces.plan.plan_id, "num_qubits": pieces.plan.num_qubits,
            "shots": pieces.plan.request.shots, "fragments": fragments, "provenance": self._provenance(pieces),
            "execution": execution(pieces),
        }  # fmt: skip
        question = pack((pieces.parts.recipe, msgspec.json.encode(asked)))
        header, blob = unpack(await self._worker.ask(question, timeout_s=TIMEOUT_S))
        if not header:
            raise Faulted(QpiError.from_bench(msgspec.json.decode(blob)).message, code="not_assembled")
        return header, blob

    def _provenance(self, pieces: Pieces) -> dict[str, Any]:
        headers = [read_header(row.header).provenance for row in pieces.results]
        began = min((run.attempts[0].assigned_at for run in pieces.runs if run.attempts), default=self._context.now())
        return {
            "executor": "plan", "executor_version": self._context.config.version,
            "program_sha256": pieces.parent.program_sha256, "started_at": began,
            "simulator": all(self._simulator(run.qpu) for run in pieces.runs),
            "finished_at": self._context.now(), "busy_s": sum(one.busy_s for one in headers if one is not None),
            "libraries": dict(pieces.plan.versions), "seed": pieces.plan.request.seed,
        }  # fmt: skip

    def _simulator(self, qpu: str) -> bool:
        return qpu in self._context.qpus and self._context.qpus.get(qpu).simulator

    def _keep(self, parent: JobRecord, header: bytes, blob: bytes, kept: contextlib.ExitStack) -> ResultRow:
        """Blocking: put the data in their place."""
        sha256, at = hashlib.sha256(blob).hexdigest(), self._context.now()
        whole = encode_header(msgspec.json.decode(header), sha256=sha256, nbytes=len(blob))
        read = read_header(whole)
        for index, circuit in enumerate(read.circuits):
            check_circuit(index, circuit)
        writer = self._context.blobs.writer()
        try:
            writer.write(blob)
            writer.examine(check_archive)
            kept.enter_context(self._context.blobs.keeping(sha256))
            writer.publish(sha256)
        except BaseException:
            writer.abort()
            raise
        return ResultRow(
            job_id=parent.id, attempt=parent.job.attempt + 1, digest=digest(whole), header=whole, blob_sha256=sha256,
            blob_bytes=len(blob), small=is_small(read), stored_at=at,
        )  # fmt: skip


def _finish(tx: Tx, job_id: str, event: Event, row: ResultRow | None) -> Change | None:
    """End the plan's job, once."""
    record = find(tx.connection, job_id)
    if record.job.state is not JobState.BLOCKED or record.job.waits_for != 1:
        return None
    change = carry_out(tx, record, advance(record.job, event))
    if row is not None and change.changed:
        facts.add_result(tx.connection, row)
    return change


def execution(pieces: Pieces) -> dict[str, Any]:
    """What each fragment ran on, as it stands beside the result (Any: JSON)."""
    return {
        "plan_id": pieces.plan.plan_id, "kind": pieces.plan.kind.value, "overhead": pieces.plan.overhead,
        "min_fidelity": pieces.plan.request.min_fidelity,
        "fragments": [
            {
                "fragment": run.index, "job_id": run.job_id, "qpu": run.qpu, "esp": run.esp,
                "observed_esp": run.observed_esp, "attempts": len(run.attempts), "fallback": run.fallback,
                "below_min_fidelity": run.below, "repeated": run.repeated,
                "started_at": None if (last := _last(run)) is None else last.started_at,
                "busy_s": None if last is None else last.busy_s,
            }
            for run in pieces.runs
        ],
    }  # fmt: skip


def _last(run: FragmentRun) -> AttemptModel | None:
    """The attempt that gave the result."""
    return next((one for one in reversed(run.attempts) if one.job_id == run.job_id), None)


def results_of(connection: Connection, children: Sequence[str]) -> list[ResultRow] | None:
    """The fragments' results; None where one is missing."""
    found = [facts.result(connection, child) for child in children]
    return None if None in found else [row for row in found if row is not None]
