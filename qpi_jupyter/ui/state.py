"""What the view of a job draws, as plain JSON: the same for the live widget and for the saved output."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from qpi_jupyter.client.job_handle import outlook_of
from qpi_jupyter.core import QpiError
from qpi_jupyter.data.views import histogram

from .cells import source_of

if TYPE_CHECKING:
    import xarray as xr

    from qpi_jupyter.client import JobHandle

MAX_TABS = 24
MAX_POINTS = 800
"""IQ points a tab draws: enough to see two clouds, few enough to be saved with the notebook."""
_WORDS = {"pending": "Waiting", "completed": "Finished", "failed": "Failed", "cancelled": "Cancelled"}
_PHASES = {
    "blocked": "Waiting for other jobs", "running": "Running", "lost": "Running", "cancelling": "Stopping",
    "assigned": "Starting",
}  # fmt: skip
_DIGITS = 4


def state_of(job: JobHandle, lost: str = "") -> dict[str, Any]:
    """The job as the view shows it; ``lost`` says that the lab does not answer."""
    model = job.model
    ended = model.ended_at or datetime.now(UTC)
    return {
        "id": model.id,
        "name": model.name,
        "status": model.status,
        "phase": model.phase,
        "word": _word(model.phase, model.status),
        "qpu": model.qpu or "",
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


def _word(phase: str, status: str) -> str:
    return _PHASES["blocked"] if phase == "blocked" else _WORDS.get(status) or _PHASES.get(phase, "Running")


def _reason(job: JobHandle) -> str:
    model = job.model
    if model.status == "cancelled" and model.error is not None:
        return model.error.message
    if job.final:
        return ""
    if model.phase == "lost":
        return f"{model.qpu} is silent; what it measured is waited for"
    if model.status != "pending":
        return ""
    if model.reason is None:
        return {"assigned": "starting", "blocked": ""}.get(model.phase, "waiting for its turn")
    return " · ".join([model.reason.message.rstrip("."), *outlook_of(model.reason)])


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


async def tabs_of(job: JobHandle) -> tuple[list[dict[str, Any]], int]:
    """What the finished job shows, one entry a tab, and how many there are in all."""
    try:
        counts = await job.counts.aio()
    except QpiError as error:
        if error.code != "no_counts":
            raise
        return iq_tabs(await job.dataset.aio())
    listed = [counts] if isinstance(counts, dict) else counts
    return [counts_tab(f"Circuit {n}", item) for n, item in enumerate(listed[:MAX_TABS])], len(listed)


def counts_tab(label: str, counts: dict[str, int]) -> dict[str, Any]:
    """A histogram."""
    bars = [
        {"label": bar.label, "count": bar.count, "share": round(bar.share, 6), "rest": bar.rest}
        for bar in histogram(counts)
    ]
    return {"kind": "counts", "label": label, "shots": sum(counts.values()), "outcomes": len(counts), "bars": bars}


def iq_tabs(data: xr.Dataset | xr.DataTree) -> tuple[list[dict[str, Any]], int]:
    """The IQ planes of all measured qubits, or a word about what there is instead."""
    from qpi_jupyter.data import conventions as c
    from qpi_jupyter.data.selection import as_list
    from qpi_jupyter.data.views import measured_qubits

    datasets = as_list(data)
    planes = [
        (f"Circuit {n}, q{qubit}" if len(datasets) > 1 else f"q{qubit}", dataset, qubit)
        for n, dataset in enumerate(datasets)
        if c.IQ in dataset.variables
        for qubit in measured_qubits(dataset)
    ]
    if not planes:
        return [{"kind": "note", "label": "Data", "text": "There is nothing to draw here: see job.dataset()."}], 1
    return [_iq_tab(*plane) for plane in planes[:MAX_TABS]], len(planes)


def _iq_tab(label: str, dataset: xr.Dataset, qubit: int) -> dict[str, Any]:
    from qpi_jupyter.data.views import iq_points

    view = iq_points(dataset, qubit, MAX_POINTS)
    return {
        "kind": "iq",
        "label": label,
        "i": [_short(value) for value in view.i],
        "q": [_short(value) for value in view.q],
        "bits": view.bits,
        "total": view.total,
        "averaged": view.averaged,
        "centres": view.centres,
        "line": view.line,
        "fidelity": view.fidelity,
        "units": view.units,
    }


def _short(value: float) -> float:
    """As many digits as a picture can show."""
    return float(f"{value:.{_DIGITS}g}")
