"""Displays of widgets: the live widget, and beside it a picture for those who see it without its kernel.

JupyterLab shows an error where a saved notebook has a widget whose kernel is gone. So the output says twice which
widget it is: in the form that every front end knows, and in one of ours, by which the lab's extension shows the widget
while it lives and the picture after it; the extension takes the first form out of what the notebook saves.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterator
from functools import cache
from html import escape
from typing import Any
from weakref import WeakKeyDictionary

import ipywidgets

from qpi_jupyter.core import QpiError

WIDGET = "application/vnd.qpi.widget+json"
VIEW = "application/vnd.jupyter.widget-view+json"

_displays: WeakKeyDictionary[ipywidgets.Widget, list[Any]] = WeakKeyDictionary()
"""Where each widget is shown by itself, a box included: handles of displays."""
_pictures: WeakKeyDictionary[Pictured, dict[str, Any]] = WeakKeyDictionary()
"""What was drawn last of each."""


class Pictured:
    """A widget with a picture."""

    def draw(self) -> dict[str, Any]:
        """The widget as it is now, for those who have no widgets and for a saved notebook: by media type."""
        return {"text/plain": repr(self)}


def show(widget: ipywidgets.Widget) -> None:
    """Display a widget, or a box with some of ours in it."""
    from IPython.display import display

    for part in parts(widget):
        _pictures.pop(part, None)  # of another moment
    handle = display(bundle(widget), raw=True, display_id=True)
    if handle is not None:
        _displays.setdefault(widget, []).append(handle)


async def refresh(widget: Pictured) -> None:
    """Put the picture of now wherever the widget is shown, alone or in a box."""
    _pictures[widget] = await asyncio.to_thread(_drawn, widget)
    for root, handles in list(_displays.items()):
        if any(part is widget for part in parts(root)):
            for handle in handles:
                # In the name of the cell that runs now: nbclient drops what finished cells say.
                contextvars.Context().run(handle.update, bundle(root), raw=True)


def parts(widget: ipywidgets.Widget) -> Iterator[Pictured]:
    """The lab's widgets in a widget: itself, or those in a box, however deep."""
    if isinstance(widget, Pictured):
        yield widget
    for child in getattr(widget, "children", ()):
        yield from parts(child)


def bundle(widget: ipywidgets.Widget) -> dict[str, Any]:
    """What a display of the widget holds."""
    ours = list(parts(widget))
    view = {VIEW: {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}}
    if not ours:
        return {**view, "text/plain": repr(widget)}
    pictures = [_picture(part) for part in ours]
    return {**view, WIDGET: {"model_id": widget.model_id}, **_together(pictures)}


def _picture(widget: Pictured) -> dict[str, Any]:
    if widget not in _pictures:
        _pictures[widget] = _drawn(widget)
    return _pictures[widget]


def _drawn(widget: Pictured) -> dict[str, Any]:
    try:
        return widget.draw()
    except QpiError as error:
        return {"text/plain": f"{type(widget).__name__}: {error.message}"}


def _together(pictures: list[dict[str, Any]]) -> dict[str, Any]:
    """Several pictures as one: below each other as text, beside each other as HTML."""
    if len(pictures) == 1:
        return pictures[0]
    cells = "".join(f'<div style="flex: 1 1 240px">{_html(picture)}</div>' for picture in pictures)
    return {
        "text/plain": "\n\n".join(picture["text/plain"] for picture in pictures),
        "text/html": f'<div style="display: flex; flex-wrap: wrap; gap: 16px">{cells}</div>',
    }


def _html(picture: dict[str, Any]) -> str:
    return str(picture.get("text/html") or f"<pre>{escape(picture['text/plain'])}</pre>")


@cache
def boxes_have_pictures() -> None:
    """Let IPython display boxes as `show` does: ipywidgets' own display of one has no picture."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    formatter = getattr(shell, "display_formatter", None)
    if formatter is not None:
        formatter.ipython_display_formatter.for_type(ipywidgets.Box, show)
