"""What the view of a job draws, as plain JSON: the same for the live widget and for the saved output."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from qpi_jupyter.client.prospects import prospect_of
from qpi_jupyter.client.status import qpus_of, word_of
from qpi_jupyter.core import QpiError
from qpi_jupyter.data import drawings
from qpi_jupyter.data.drawings import Drawing

from .cells import source_of

if TYPE_CHECKING:
    import xarray as xr

    from qpi_jupyter.client import JobHandle

MAX_TABS = 24


def state_of(job: JobHandle, lost: str = "") -> dict[str, Any]:
    """The job as the view shows it; ``lost`` says that the lab does not answer."""
    model = job.model
    ended = model.ended_at or datetime.now(UTC)
    return {
        "id": model.id,
        "name": model.name,
        "status": model.status,
        "phase": model.phase,
        "word": word_of(model),
        "qpu": qpus_of(model),
        "shots": model.shots,
        "circuits": model.num_circuits,
        "final": job.final,
        "reason": _reason(job),
        "progress": model.progress,
        # Counted here and carried on in the browser, so that its clock does not matter.
        "elapsed_s": max(0.0, (ended - model.submitted_at).total_seconds()),
        "busy_s": model.busy_s,
        "lost": lost,
        "error": _error(job),
    }


def _reason(job: JobHandle) -> str:
    model = job.model
    if model.status == "cancelled" and model.error is not None:
        return model.error.message
    if job.final:
        return ""
    if model.phase == "lost":
        return "waiting for its result"
    if model.status != "pending":
        return ""
    if model.reason is None:
        return {"assigned": "starting", "blocked": ""}.get(model.phase, "waiting for its turn")
    return " · ".join([model.reason.message.rstrip("."), *prospect_of(model)])


def _error(job: JobHandle) -> dict[str, Any] | None:
    error = job.error
    if error is None or job.model.status == "cancelled":
        return None
    line = error.data.get("line")
    source = source_of(error, job.sources)
    lines = source.splitlines() if source else []
    known = isinstance(line, int) and 1 <= line <= len(lines)
    return {
        "message": error.message,
        "kind": type(error).__name__,
        "code": error.code,
        "line": line,
        "column": error.data.get("column"),
        "source": lines[line - 1] if known and isinstance(line, int) else None,
    }


async def tabs_of(job: JobHandle) -> tuple[list[Drawing], int]:
    """What the finished job shows, one drawing a tab, and how many there are in all."""
    if job.model.num_circuits > 1:  # a sweep is one curve
        return await asyncio.to_thread(drawn, await job.dataset.aio())
    try:
        counts = await job.counts.aio()
    except QpiError as error:
        if error.code != "no_counts":
            raise
        return await asyncio.to_thread(drawn, await job.dataset.aio())
    listed = [counts] if isinstance(counts, dict) else counts
    return [drawings.counts(item, f"Circuit {n}") for n, item in enumerate(listed[:MAX_TABS])], len(listed)


def drawn(data: xr.Dataset | xr.DataTree) -> tuple[list[Drawing], int]:
    """What the kinds of the results draw; of a kind that is not installed here, a word about it."""
    import xarray as xr

    from qpi_jupyter.data.curves import drawing_of
    from qpi_jupyter.data.kinds import ResultKind, find, name_of, unknown
    from qpi_jupyter.data.selection import circuits_of

    datasets = circuits_of(data)
    names = [""] if isinstance(data, xr.Dataset) else list(data.children)
    kinds: dict[str, ResultKind | QpiError] = {}
    tabs: list[Drawing] = []
    total = 0
    for n, dataset in enumerate(datasets):
        name = name_of(dataset)
        if name not in kinds:
            try:
                kinds[name] = find(name)
            except QpiError as error:
                kinds[name] = error
        kind = kinds[name]
        qubits = [None] if isinstance(kind, QpiError) else kind.qubits(dataset)
        total += len(qubits)
        for qubit in qubits[: MAX_TABS - len(tabs)]:
            drawing = unknown(name, kind) if isinstance(kind, QpiError) else drawing_of(dataset, qubit)
            circuit = names[n] or ("" if drawing["label"] else "Circuit 0")
            tabs.append({**drawing, "label": ", ".join(filter(None, [circuit, drawing["label"]]))})
    return tabs, total
