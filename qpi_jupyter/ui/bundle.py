"""A job as a cell's output: data that the panel draws and keeps up to date, and text and HTML for everybody else.

None of the three needs a kernel or a script: what a notebook saved can be looked at anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

import msgspec

from qpi_jupyter.data.drawings import Drawing, text_of
from qpi_jupyter.data.pictures import html_of
from qpi_jupyter.wire.outputs import JOB_OUTPUT, JobOutput, OutputJob

from .state import state_of, tabs_of

if TYPE_CHECKING:
    from qpi_jupyter.client import JobHandle


async def finished(job: JobHandle) -> dict[str, Any]:
    """The bundle of an ended job, on any loop."""
    return bundle(job, *(await tabs_of(job) if job.model.status == "completed" else ()))


def bundle(job: JobHandle, drawings: Sequence[Drawing] = (), total: int = 0, lost: str = "") -> dict[str, Any]:
    """The job as it is now, by media type; ``lost`` says why nothing newer is known."""
    state = state_of(job, lost)
    texts = [headline(state)]
    for drawing in drawings:
        label = f"{drawing['label']}\n" if len(drawings) > 1 else ""
        if text := text_of(drawing):
            texts.append(label + text)
    rest = f"The first {len(drawings)} of {total:,} are shown." if total > len(drawings) else ""
    return {
        JOB_OUTPUT: msgspec.to_builtins(output(job, drawings, total, (state["error"] or {}).get("source"))),
        "text/html": _html(job, state, drawings, rest),
        "text/plain": "\n".join(filter(None, [*texts, rest])),
    }


def output(job: JobHandle, drawings: Sequence[Drawing], total: int, source: str | None) -> JobOutput:
    """What the panel draws; ``source`` is the line that its error names."""
    model = job.model
    kept = OutputJob(**{name: getattr(model, name) for name in OutputJob.__struct_fields__})
    at = datetime.now(UTC).replace(microsecond=0)
    return JobOutput(v=1, job=kept, lab=job.http.url, at=at, drawings=list(drawings), total=total, source=source)


def headline(state: dict[str, Any]) -> str:
    """One line: what, where, how."""
    where = f" on {state['qpu']}" if state["qpu"] else ""
    name = f" {state['name']!r}" if state["name"] else ""
    detail = state["lost"] or (state["error"] or {}).get("message") or state["reason"]
    return f"Job {state['id']}{name}{where}: {state['word']}{f' ({detail})' if detail else ''}"


def _html(job: JobHandle, state: dict[str, Any], drawings: Sequence[Drawing], rest: str) -> str:
    """Without scripts and styles, safe to put anywhere."""
    parts = [f"<p>{escape(headline(state))}</p>"]
    if (error := state["error"]) is not None and error["source"] is not None:
        parts.append(f"<pre>{error['line']} | {escape(error['source'])}</pre>")
    for drawing in drawings:
        if len(drawings) > 1:
            parts.append(f"<p><strong>{escape(drawing['label'])}</strong></p>")
        parts.append(html_of(drawing))
    if rest:
        parts.append(f"<p>{rest}</p>")
    if not job.final:
        at = f"{datetime.now(UTC):%-d %B %Y, %H:%M} UTC"
        parts.append(
            f"<p><small>As of {at}. <code>%qpi_job {escape(job.id)}</code> shows it as it is now, "
            f"<code>%qpi_cancel {escape(job.id)}</code> stops it.</small></p>"
        )
    return f"<div>{''.join(parts)}</div>"
