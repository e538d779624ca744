"""How a job is shown: a live widget while it runs; then text, HTML and PNG that need no kernel.

A widget in a saved notebook is an error message once its kernel is gone. So a running job shows a widget, and when it
ends that output is replaced (``update_display_data``, which notebooks route by its id to wherever the output is) by a
self-contained one: the same drawing, by the same module, from data that the HTML carries.
"""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from contextlib import suppress
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from qpi_jupyter.core.errors import Unavailable
from qpi_jupyter.data.views import counts_html, counts_text

from .assets import module, style
from .state import state_of, tabs_of

if TYPE_CHECKING:
    from qpi_jupyter.client import JobHandle

_LOST_S = 2.0
"""How often a blocking view shows that the lab still does not answer."""


def show(job: JobHandle) -> None:
    """Display the job: what `_ipython_display_` does."""
    from IPython.display import display

    if job.final or not in_kernel():
        display(_finished(job) if job.final else {"text/plain": repr(job)}, raw=True)
        return
    from .follow import follow

    follow(job)


def watch(job: JobHandle) -> None:
    """Display the job and keep it up to date while the cell blocks; returns when it has ended."""
    from IPython.display import display

    shown = display(bundle(state_of(job), []), raw=True, display_id=True)
    while not job.final:
        lost = ""
        try:
            job.changed()
        except Unavailable as error:
            lost = error.message
        if shown is not None and not job.final:
            shown.update(bundle(state_of(job, lost), []), raw=True)
        if lost:
            with suppress(TimeoutError):
                job.wait(timeout=_LOST_S)
    if shown is not None:
        shown.update(_finished(job), raw=True)


def mimebundle(job: JobHandle) -> dict[str, Any]:
    """The job as it is now, for those who ask for a representation instead of a display."""
    return _finished(job) if job.final else bundle(state_of(job), [])


def _finished(job: JobHandle) -> dict[str, Any]:
    """The bundle of an ended job, blocking."""
    return job.portal.run(finished(job))


async def finished(job: JobHandle) -> dict[str, Any]:
    """The bundle of an ended job, on any loop."""
    if job.model.status != "completed":
        return bundle(state_of(job), [])
    tabs, total = await tabs_of(job)
    return bundle({**state_of(job), "tabs_total": total}, tabs, await picture(job, tabs))


async def picture(job: JobHandle, tabs: list[dict[str, Any]]) -> bytes | None:
    """The first tab as PNG, drawn in a thread."""
    if tabs[0]["kind"] == "counts":
        return await asyncio.to_thread(_counts_png, tabs[0])
    if tabs[0]["kind"] == "iq":
        return await asyncio.to_thread(_iq_png, await job.dataset.aio())
    return None


def _counts_png(tab: dict[str, Any]) -> bytes:
    from qpi_jupyter.data.plots import counts_png

    return counts_png(_counts(tab))


def _iq_png(data: Any) -> bytes:
    from qpi_jupyter.data.codec import as_list
    from qpi_jupyter.data.plots import to_png

    return to_png(as_list(data)[0], dpi=72)


def _counts(tab: dict[str, Any]) -> dict[str, int]:
    return {bar["label"]: bar["count"] for bar in tab["bars"]}


def bundle(state: dict[str, Any], tabs: list[dict[str, Any]], png: bytes | None = None) -> dict[str, Any]:
    """Text, HTML and, where there is one, a picture; the HTML draws itself where scripts may run."""
    texts = [headline(state)]
    for tab in tabs:
        label = f"{tab['label']}\n" if len(tabs) > 1 else ""
        if tab["kind"] == "counts":
            texts.append(label + counts_text(_counts(tab)))
    found = {"text/plain": "\n".join(texts), "text/html": _html(state, tabs, png)}
    if png is not None:
        found["image/png"] = base64.b64encode(png).decode()
    return found


def headline(state: dict[str, Any]) -> str:
    """One line: what, where, how."""
    where = f" on {state['qpu']}" if state["qpu"] else ""
    name = f" {state['name']!r}" if state["name"] else ""
    detail = state["lost"] or (state["error"] or {}).get("message") or state["reason"]
    return f"Job {state['id']}{name}{where}: {state['word'].lower()}{f' ({detail})' if detail else ''}"


def _html(state: dict[str, Any], tabs: list[dict[str, Any]], png: bytes | None) -> str:
    """The plain form, which untrusted notebooks and other sites show, and the module that replaces it."""
    mark = f"qpi-{uuid.uuid4().hex[:12]}"
    plain = f"<p>{escape(headline(state))}</p>"
    for tab in tabs:
        if len(tabs) > 1:
            plain += f"<p><strong>{escape(tab['label'])}</strong></p>"
        if tab["kind"] == "counts":
            plain += counts_html(_counts(tab))
    if png is not None and tabs[0]["kind"] == "iq":
        plain += f'<img alt="IQ plane" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
    # "</script>" inside the data would end the element.
    data = json.dumps({"state": state, "tabs": tabs}, separators=(",", ":")).replace("<", "\\u003c")
    css, script = _assets()
    return (
        f'<div id="{mark}">{plain}</div><style>{css}</style>'
        f'<script type="module">{script}\nfor (const el of document.querySelectorAll("#{mark}")) '
        f"mount(el, {data});</script>"
    )


@cache
def _assets() -> tuple[str, str]:
    """The stylesheet, and the module without its exports (an inline module cannot be imported)."""
    return style("job"), module("dom", "job").partition("\nexport ")[0]


def in_kernel() -> bool:
    """Whether widgets can work: a kernel's loop runs around this cell."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None
