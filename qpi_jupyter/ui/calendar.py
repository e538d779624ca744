"""`CalendarWidget`: the week of a QPU, to look at and to book in.

Its traits are written from the kernel's own loop only; what the browser asks for arrives as a message, is done by a
task, and is answered by a message with the same number.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

import anywidget
import traitlets

from qpi_jupyter.client import times
from qpi_jupyter.client.bookings import Bookings
from qpi_jupyter.client.http import delays
from qpi_jupyter.client.people import me
from qpi_jupyter.core import BookingConflict, QpiError, Unavailable
from qpi_jupyter.wire.bookings import BookingModel, BookingRule

from . import week
from .assets import Mimebundle, beside, module, style
from .display import in_kernel
from .follow import start_task

if TYPE_CHECKING:
    from qpi_jupyter.client import Lab

_PARK_S = 50.0
_SHOWS = frozenset({"booking.changed", "qpu.changed"})
"""Events after which the week is read again."""


class CalendarWidget(anywidget.AnyWidget):
    """A QPU's week. Drag, or use the keyboard, to book and to move; other people's changes appear by themselves."""

    _esm = module(
        "dom", "calendar_time", "calendar_edit", "calendar_parts", "calendar_drawing", "calendar_dialogs", "calendar"
    )
    _css = style("calendar")

    state = traitlets.Dict().tag(sync=True)

    def __init__(self, lab: Lab, qpu: str) -> None:
        self.lab = lab
        self._bookings = Bookings(lab.http)
        self.zone = times.zone_of()
        self.qpu = qpu
        self.monday = week.monday_of(datetime.now(UTC), self.zone)
        self._undo: BookingModel | None = None
        self._reading = 0
        # A count, so that pages tell how many views there are: one that nobody sees is not kept up to date.
        super().__init__(state=lab.http.portal.run(self._read()), _view_count=0)
        self.on_msg(self._hear)
        self.observe(self._seen, "_view_count")

    # -- what is shown -------------------------------------------------------------------------------------------

    async def _read(self) -> dict[str, Any]:
        """The week as the lab has it; on the client's loop."""
        start_at, end_at = week.bounds(self.monday, self.zone)
        bookings, qpus, rules, person = await asyncio.gather(
            self._bookings.booked(self.qpu, start_at, end_at),
            self.lab.qpus.aio(),
            self._bookings.my_rules(),
            me(self.lab.http),
        )
        return week.week_state(
            qpu=self.qpu, qpus=qpus, monday=self.monday, zone=self.zone, now=datetime.now(UTC), bookings=bookings,
            rule=rules.get(self.qpu, BookingRule()), me=person,
        )  # fmt: skip

    async def refresh(self) -> None:
        """Read the week again and show it, unless a later reading has been begun."""
        self._reading = mine = self._reading + 1
        state = await asyncio.wrap_future(self.lab.http.portal.start(self._read()))
        if mine == self._reading:
            self.state = state

    @property
    def shown(self) -> bool:
        """Whether a page has it in view."""
        return bool(self._view_count)

    def _seen(self, change: Any) -> None:
        if change["new"] and not change["old"]:
            start_task(self._answer(self._stay, {}))

    def lose(self, message: str) -> None:
        """Show that the lab does not answer."""
        self.state = {**self.state, "lost": message}

    # -- what is asked -------------------------------------------------------------------------------------------

    def _hear(self, widget: Any, content: Any, buffers: Any) -> None:
        """A message of the browser; ``Any``, because a page may send anything."""
        actions: dict[str, Callable[[dict[str, Any]], Awaitable[str]]] = {
            "show": self._show, "book": self._book, "move": self._move, "delete": self._delete,
            "release": self._release, "undo": self._restore,
        }  # fmt: skip
        if isinstance(content, dict) and (action := actions.get(str(content.get("do")))) is not None:
            start_task(self._answer(action, content))

    async def _answer(self, action: Callable[[dict[str, Any]], Awaitable[str]], content: dict[str, Any]) -> None:
        number = content.get("n")
        try:
            said = await action(content)
            await self.refresh()
        except BookingConflict as error:
            free = error.next_free_at
            self.send({"n": number, "error": error.message, "taken": True, "free": free.timestamp() if free else None})
        except QpiError as error:
            self.send({"n": number, "error": error.message, "free": None})
            if isinstance(error, Unavailable):
                self.lose(error.message)
        except (KeyError, TypeError, ValueError) as error:
            self.send({"n": number, "error": f"The calendar did not understand: {error}", "free": None})
        else:
            self.send({"n": number, "said": said, "undo": action == self._delete})

    async def _stay(self, content: dict[str, Any]) -> str:
        return ""

    async def _show(self, content: dict[str, Any]) -> str:
        monday = date.fromisoformat(content["week"]) if content.get("week") else None
        self.qpu = str(content.get("qpu") or self.qpu)
        self.monday = monday or week.monday_of(datetime.now(UTC), self.zone)
        return ""

    async def _book(self, content: dict[str, Any]) -> str:
        start, end = _moment(content["start"]), _moment(content["end"])
        await self.lab.book.aio(
            self.qpu, start, end, title=str(content.get("title", "")), mode=content.get("mode", "priority")
        )
        return "Booked"

    async def _move(self, content: dict[str, Any]) -> str:
        handle = await self.lab.booking.aio(str(content["id"]))
        await handle.move.aio(_moment(content["start"]), _moment(content["end"]), version=int(content["version"]))
        return "Moved"

    async def _delete(self, content: dict[str, Any]) -> str:
        handle = await self.lab.booking.aio(str(content["id"]))
        await handle.delete.aio()
        self._undo = handle.model
        return "Deleted"

    async def _release(self, content: dict[str, Any]) -> str:
        await (await self.lab.booking.aio(str(content["id"]))).release.aio()
        return "Released"

    async def _restore(self, content: dict[str, Any]) -> str:
        """Book again what was deleted last; somebody else may have been quicker."""
        model, self._undo = self._undo, None
        if model is None:
            return ""
        await self.lab.book.aio(
            model.qpu, model.start_at, model.end_at, mode=model.mode, title=model.title or "", invite=model.invited
        )
        return "Booked again"

    # -- saved ---------------------------------------------------------------------------------------------------

    def _repr_mimebundle_(self, **kwargs: Any) -> Mimebundle:
        """The widget, and beside it what those see who have no widgets."""
        plain = {"text/plain": week.as_text(self.state, self.zone), "text/html": week.as_html(self.state, self.zone)}
        return beside(super()._repr_mimebundle_(**kwargs), plain)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


_open: WeakKeyDictionary[Lab, WeakSet[CalendarWidget]] = WeakKeyDictionary()
"""The calendars of each lab: one task reads the event stream for all of them."""


def open_calendar(lab: Lab, qpu: str) -> CalendarWidget:
    """The calendar of a QPU, kept up to date while the kernel lives."""
    widget = CalendarWidget(lab, qpu)
    if in_kernel():
        first = lab not in _open
        _open.setdefault(lab, WeakSet()).add(widget)
        if first:
            start_task(_follow(lab))
    return widget


async def _follow(lab: Lab) -> None:
    """Show what other people change, from the lab's event stream, until the connection is closed."""
    cursor: int | None = None
    pauses = delays()
    lost = ""
    while not lab.closed:
        shown = [widget for widget in _open[lab] if widget.shown]
        try:
            page = await asyncio.wrap_future(lab.http.portal.start(lab.events(cursor, wait_s=_PARK_S)))
            if cursor is None or lost or any(event.kind in _SHOWS for event in page.events):
                await asyncio.gather(*(widget.refresh() for widget in _open[lab] if widget.shown))
        except QpiError as error:
            lost = error.message
            for widget in shown:
                widget.lose(lost)
            await asyncio.sleep(next(pauses))
        else:
            cursor, lost, pauses = page.cursor, "", delays()
