"""`CalendarWidget`: the calendar of the lab, to look at and to book in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any, ClassVar, NamedTuple

import traitlets
from traitlets import default

from qpi_jupyter.client.bookings import Bookings
from qpi_jupyter.client.http import Http

from .widget import LabWidget

_AHEAD = timedelta(days=7)
"""How far ahead the picture looks."""


class Chosen(NamedTuple):
    """A time on a QPU, ``[start, end)``, aware."""

    qpu: str
    start: datetime
    end: datetime


class CalendarWidget(LabWidget):
    """The calendar of the lab, or of one QPU. Drag, or use the keyboard, to book and to move.

    ``value`` is the time that was drawn or opened last, as `Chosen`; None until then.
    """

    bundle: ClassVar[str] = "calendar"
    asks = (
        ("GET", "me|qpus|events|booking-rules|feeds|bookings(/[^/]+)?"),
        ("POST", "feeds|bookings(/[^/]+/release)?"),
        ("PATCH", "bookings/[^/]+"),
        ("DELETE", "(feeds|bookings)/[^/]+"),
    )

    qpu = traitlets.Unicode(read_only=True).tag(sync=True)
    value = traitlets.Any(None, allow_none=True).tag(
        sync=True, from_json=lambda value, widget: _chosen(value), to_json=lambda value, widget: _told(value)
    )

    def __init__(self, http: Http, qpu: str | None = None) -> None:
        self._only = qpu or ""
        self._bookings = Bookings(http)
        super().__init__(http)

    @default("qpu")
    def _qpu(self) -> str:
        return self._only

    def heard(self, event: dict[str, Any]) -> None:
        super().heard(event)
        if event["kind"] == "booking.changed":
            self.redraw()

    def draw(self) -> dict[str, Any]:
        end = datetime.now(UTC) + _AHEAD
        table = self._bookings.bookings(self._only or None, mine=False, end=end)
        caption = f"Bookings of {self._only or 'all QPUs'}, the next {_AHEAD.days} days"
        html = f"<p>{escape(caption)}</p>{table._repr_html_()}"
        return {"text/plain": f"{caption}\n{table!r}", "text/html": html}


def _chosen(value: Any) -> Chosen | None:
    """What the page chose; ``Any``, because it may send anything."""
    if not isinstance(value, dict):
        return None
    start, end = (datetime.fromisoformat(str(value[name])) for name in ("start", "end"))
    return Chosen(str(value["qpu"]), start, end)


def _told(value: Chosen | None) -> dict[str, str] | None:
    if value is None:
        return None
    return {"qpu": value.qpu, "start": value.start.isoformat(), "end": value.end.isoformat()}
