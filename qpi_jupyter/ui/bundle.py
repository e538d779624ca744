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

from qpi_jupyter.data.drawings import Drawing, html_of, text_of

from .assets import module, style
from .state import state_of, tabs_of

if TYPE_CHECKING:
    from qpi_jupyter.client import JobHandle


async def finished(job: JobHandle) -> dict[str, Any]:
    """The bundle of an ended job, on any loop."""
    if job.model.status != "completed":
        return bundle(state_of(job), [])
    tabs, total = await tabs_of(job)
    return bundle({**state_of(job), "tabs_total": total}, tabs, await picture(tabs))


async def picture(tabs: list[Drawing]) -> bytes | None:
    """The first tab as PNG, drawn in a thread; None where it is words alone."""
    return await asyncio.to_thread(_png, tabs[0])


def _png(drawing: Drawing) -> bytes | None:
    from qpi_jupyter.data.plots import draws, to_png

    return to_png(drawing) if draws(drawing) else None


def bundle(state: dict[str, Any], tabs: list[dict[str, Any]], png: bytes | None = None) -> dict[str, Any]:
    """Text, HTML and, where there is one, a picture; the HTML draws itself where scripts may run."""
    texts = [headline(state)]
    for tab in tabs:
        label = f"{tab['label']}\n" if len(tabs) > 1 else ""
        if text := text_of(tab):
            texts.append(label + text)
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
        plain += html_of(tab)
    if png is not None and not html_of(tabs[0]):
        plain += f'<img alt="{escape(tabs[0]["label"])}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
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
