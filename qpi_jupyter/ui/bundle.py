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
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from qpi_jupyter.data.views import counts_html, counts_text

from .assets import module, style
from .state import state_of, tabs_of

if TYPE_CHECKING:
    from qpi_jupyter.client import JobHandle


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
    from qpi_jupyter.data.plots import to_png
    from qpi_jupyter.data.selection import as_list

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
