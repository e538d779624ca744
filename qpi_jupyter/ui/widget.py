"""`LabWidget`: what all widgets are. The page draws with the panel's own modules and asks the lab through the kernel.

A page in VS Code, in Colab or in a dashboard has no lab beside it, so a widget's page sends its questions as messages;
the kernel asks the lab as the person whose kernel it is, and no more than the widget is for.
"""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Coroutine
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import anywidget
import msgspec
import traitlets

from qpi_jupyter.client.http import Http
from qpi_jupyter.core import Conflict, Forbidden, NotFound, QpiError, TooMany, Unauthorized, Unavailable
from qpi_jupyter.wire.events import JUPYTER_SCHEMA_ID

from . import shown
from .assets import STATIC, Mimebundle
from .heard import leave, listen
from .loops import running_loop

_STATUS: dict[type[QpiError], int] = {Unauthorized: 401, Forbidden: 403, NotFound: 404, Conflict: 409, TooMany: 429}
"""What the panel's modules look at."""

_REDRAW_S = 20.0


class LabWidget(shown.Pictured, anywidget.AnyWidget):
    """A part of the lab as a widget, for a cell, an ``ipywidgets.HBox`` or a dashboard.

    Its traits are written from the kernel's own loop only.
    """

    bundle: ClassVar[str]
    """Its module and stylesheet, in ``static/widgets``."""
    asks: tuple[tuple[str, str], ...] = ()
    """What its page may ask of the lab: a method and a pattern for the path."""

    lab_away = traitlets.Unicode("", help="Why the lab does not answer; empty while it does.")

    def __init__(self, http: Http, **traits: Any) -> None:
        self.http = http
        self._tasks = set[asyncio.Task[None]]()
        self._drawing: asyncio.Task[None] | None = None
        super().__init__(**traits)
        self.on_msg(self._hear)
        if running_loop():
            listen(http, self)
            shown.boxes_have_pictures()

    @property
    def _esm(self) -> str:
        return _built(f"{self.bundle}.js")

    @property
    def _css(self) -> str:
        return _built(f"{self.bundle}.css")

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Let ``work`` run on the kernel's own loop, for as long as the widget is open; without a loop nothing runs."""
        if (loop := running_loop()) is None:
            work.close()
            return
        task = loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Take the widget out of all pages, and stop following the lab for it."""
        leave(self.http, self)
        for task in (*self._tasks, *filter(None, [self._drawing])):
            task.cancel()
        super().close()

    # -- what the lab says ---------------------------------------------------------------------------------------

    def heard(self, event: dict[str, Any]) -> None:
        """Tell the page what has happened."""
        self.send({"event": {"schema_id": JUPYTER_SCHEMA_ID, **event}})

    def away(self, message: str) -> None:
        """Tell the page, and whoever observes `lab_away`, that the lab is away, or there again."""
        self.lab_away = message
        self.send({"away": message})

    # -- what the page asks --------------------------------------------------------------------------------------

    def _hear(self, widget: Any, content: Any, buffers: Any) -> None:
        """A message of the page; ``Any``, because it may send anything."""
        if isinstance(content, dict) and isinstance(content.get("n"), str):
            self.start(self._answer(content["n"], content))

    async def _answer(self, n: str, content: dict[str, Any]) -> None:
        try:
            body = await self.asked(content)
        except QpiError as error:
            status = 0 if isinstance(error, Unavailable) else _status(error)
            self.send({"n": n, "error": {**msgspec.to_builtins(error.to_dict()), "status": status}})
        except (KeyError, TypeError, ValueError) as error:
            message = f"The kernel cannot read what the widget sent: {error}"
            self.send({"n": n, "error": {"message": message, "code": "bad_message", "data": {}, "status": 400}})
        else:
            if isinstance(body, bytes):
                self.send({"n": n}, buffers=[body])
            else:
                self.send({"n": n, "body": body})

    async def asked(self, content: dict[str, Any]) -> Any:
        """The answer to a message of the page: JSON, or bytes."""
        method, (where, query) = str(content["method"]), _parts(str(content["path"]))
        if not any(method == allowed and re.fullmatch(pattern, where) for allowed, pattern in self.asks):
            raise Forbidden(f"This widget does not ask for {method} {where}.", code="not_asked")
        ask = self._download(where) if content.get("blob") else self._call(method, where, query, content)
        return await asyncio.wrap_future(self.http.portal.start(ask))

    async def _call(self, method: str, where: str, query: list[tuple[str, str]], content: dict[str, Any]) -> Any:
        key = content.get("key")
        return await self.http.call(
            method,
            f"v1/{where}",
            Any,
            params=query,
            body=content.get("body"),
            headers={"Idempotency-Key": str(key)} if key else {},
            retry_s=0.0,
            once=method == "POST" and not key,
        )

    async def _download(self, where: str) -> bytes:
        into = io.BytesIO()
        await self.http.download(f"v1/{where}", into)
        return into.getvalue()

    # -- shown and saved -----------------------------------------------------------------------------------------

    def redraw(self) -> None:
        """Put a new picture in place before long; a few a minute at most, since some front ends draw all anew."""
        if self._drawing is None or self._drawing.done():
            self._drawing = asyncio.get_running_loop().create_task(self._redraw())

    async def _redraw(self) -> None:
        await asyncio.sleep(_REDRAW_S)
        await shown.refresh(self)

    def _ipython_display_(self) -> None:
        shown.show(self)

    def _repr_mimebundle_(self, **kwargs: Any) -> Mimebundle:
        return shown.bundle(self), {}


def _parts(path: str) -> tuple[str, list[tuple[str, str]]]:
    """A path and its query; one that climbs is none."""
    split = urlsplit(path)
    if split.scheme or split.netloc or any(not part.strip(".") for part in split.path.split("/")):
        raise ValueError(f"{path!r} is not a path of the lab")
    return split.path, parse_qsl(split.query, keep_blank_values=True)


def _status(error: QpiError) -> int:
    return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 400)


def _built(name: str) -> str:
    """A file that is built with the panel."""
    try:
        return (STATIC / "widgets" / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise QpiError(
            "The widgets were not built here: install qpi-jupyter without QPI_SKIP_LABEXTENSION.", code="not_built"
        ) from None
