"""`BookingHandle`: one booking; tables of them; and what is said when a QPU is not free."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from msgspec import UNSET

from qpi_jupyter.core import BookingConflict, Rejected
from qpi_jupyter.wire.bookings import BookingChange, BookingList, BookingModel, Mode, NextFree
from qpi_jupyter.wire.events import BookingChanged, LabEvent, UnreadEventPage

from . import times
from .http import Http, path
from .portal import both
from .tables import Table

Series = Literal["this", "following", "all"]
DEFAULT_S = 3_600.0
"""How long a booking is when nobody says so."""


class BookingHandle:
    """One booking of a lab. Changes ask the lab, which may refuse; the handle then stays as it was."""

    def __init__(self, http: Http, model: BookingModel) -> None:
        self.http = http
        self.model = model

    @property
    def id(self) -> str:
        return self.model.id

    @property
    def qpu(self) -> str:
        return self.model.qpu

    @property
    def start_at(self) -> datetime:
        return self.model.start_at

    @property
    def end_at(self) -> datetime:
        return self.model.end_at

    @both
    async def refresh(self) -> BookingHandle:
        """Read the booking again."""
        self.model = await self.http.call("GET", f"v1/bookings/{path(self.id)}", BookingModel)
        return self

    @both
    async def move(
        self,
        start: times.When,
        end: times.When | None = None,
        *,
        duration: times.Length | None = None,
        series: Series = "this",
        version: int | None = None,
    ) -> BookingHandle:
        """Begin at another time; without an end the booking stays as long as it is.

        Parameters
        ----------
        start, end, duration
            as `Lab.book` takes them.
        series
            of a repeated booking also the ``"following"`` ones, or ``"all"`` that have not begun, by as much.
        version
            ``booking.model.version``: only if nobody has changed it since.

        Raises
        ------
        BookingConflict
            the QPU is not free then; ``next_free_at`` says when it is.
        """
        length_s = (self.end_at - self.start_at).total_seconds() if end is None and duration is None else duration
        start_at, end_at = interval(start, end, length_s)
        return await self._change(
            BookingChange(start_at=start_at, end_at=end_at, version=version), series, "booking.move("
        )

    @both
    async def shorten(
        self, end: times.When | None = None, *, duration: times.Length | None = None, series: Series = "this"
    ) -> BookingHandle:
        """End at another time; an end that is later lengthens the booking, where the QPU is free.

        Parameters
        ----------
        series
            of a repeated booking also the ``"following"`` ones, or ``"all"`` that have not begun, by as much.
        """
        if end is None and duration is None:
            raise Rejected("shorten() needs an end, for example '14:00', or a duration.", code="no_end", field="end_at")
        _, end_at = interval(self.start_at, end, duration)
        return await self._change(BookingChange(end_at=end_at), series)

    @both
    async def edit(
        self,
        *,
        title: str | None = None,
        mode: Mode | None = None,
        invite: Sequence[str] | None = None,
        series: Series = "this",
    ) -> BookingHandle:
        """Another title or mode, or other people; what is left out stays.

        Parameters
        ----------
        invite
            the whole list of those who may use the time, too.
        series
            of a repeated booking also the ``"following"`` ones, or ``"all"`` that have not begun.
        """
        change = BookingChange(
            title=UNSET if title is None else title,
            mode=UNSET if mode is None else mode,
            invited=UNSET if invite is None else list(invite),
        )
        return await self._change(change, series)

    @both
    async def invite(self, *people: str) -> BookingHandle:
        """Let these people use the time, too."""
        await self.refresh.aio()
        invited = [*self.model.invited, *(person for person in people if person not in self.model.invited)]
        return await self._change(BookingChange(invited=invited, version=self.model.version))

    @both
    async def release(self) -> BookingHandle:
        """Give back what is left of the time; others may use it from now on."""
        self.model = await self.http.call("POST", f"v1/bookings/{path(self.id)}/release", BookingModel)
        return self

    @both
    async def delete(self, series: Series = "this") -> BookingHandle:
        """Delete it; of a series also the ``"following"`` ones, or ``"all"`` that have not begun."""
        params = {"series": series}
        deleted = await self.http.call("DELETE", f"v1/bookings/{path(self.id)}", BookingList, params=params)
        self.model = next((model for model in deleted.bookings if model.id == self.id), self.model)
        return self

    cancel = delete

    @both
    async def history(self) -> BookingHistory:
        """Every change, oldest first: who did what, and when."""
        page = await self.http.call("GET", f"v1/bookings/{path(self.id)}/history", UnreadEventPage)
        return BookingHistory(page.read().events)

    async def _change(self, change: BookingChange, series: Series = "this", call: str = "") -> BookingHandle:
        where, params = f"v1/bookings/{path(self.id)}", {"series": series}
        try:
            self.model = await self.http.call("PATCH", where, BookingModel, params=params, body=change)
        except BookingConflict as error:
            raise (explained(error, call) if call else error) from error
        return self

    def __repr__(self) -> str:
        model, now = self.model, datetime.now(UTC)
        title = f" {model.title!r}" if model.title else ""
        state = "" if model.status == "booked" else f", {model.status.replace('_', ' ')}"
        who = "" if model.mine else f", {model.booked_by or 'somebody'}"
        zone = times.zone_of()
        when = f"{times.span(model.start_at, model.end_at, zone, now)} {times.offset(zone, model.start_at)}"
        return f"<Booking {model.id}{title}: {model.qpu} {when} ({model.mode}){who}{state}>"

    def _repr_html_(self) -> str:
        return BookingTable([self])._repr_html_()


class FreeTime(NextFree):
    """A free interval of a QPU: ``start_at`` to ``end_at``."""

    def __repr__(self) -> str:
        zone, now = times.zone_of(), datetime.now(UTC)
        when = f"{times.span(self.start_at, self.end_at, zone, now)} {times.offset(zone, self.start_at)}"
        return f"<Free time of {self.qpu}: {when}>"


class BookingTable(Table[BookingHandle]):
    """Bookings by their start; each item is the handle itself."""

    empty = "No bookings."
    columns = ("id", "QPU", "when", "length", "mode", "booked by", "title", "status")

    def __init__(self, items: Sequence[BookingHandle]) -> None:
        super().__init__(items)
        self.caption = f"Bookings, in the time of {times.zone_label(times.zone_of(), datetime.now(UTC))}"

    def row(self, item: BookingHandle) -> tuple[str, ...]:
        model = item.model
        return (
            model.id, model.qpu, times.span(model.start_at, model.end_at, times.zone_of(), datetime.now(UTC)),
            times.length((model.end_at - model.start_at).total_seconds()), model.mode,
            model.booked_by or "", _title(model), model.status.replace("_", " "),
        )  # fmt: skip

    def record(self, item: BookingHandle) -> dict[str, Any]:
        names = ("id", "qpu", "start_at", "end_at", "mode", "booked_by", "title", "status", "mine", "series_id")
        return {name: getattr(item.model, name) for name in names}


def _title(model: BookingModel) -> str:
    invited = f"with {', '.join(model.invited)}" if model.invited else ""
    return " · ".join(filter(None, (model.title, invited, "repeats" if model.series_id else "")))


class BookingHistory(Table[LabEvent]):
    """What happened to a booking."""

    caption = "History"
    empty = "Nothing happened."
    columns = ("when", "what", "by", "details")

    def row(self, item: LabEvent) -> tuple[str, ...]:
        when = times.stamp(item.at, datetime.now(UTC), exact=True)
        if not isinstance(item, BookingChanged):
            return when, item.kind, "", ""
        data = item.data
        changes = [_changed(name, getattr(data.before, name, None), getattr(data.after, name)) for name in _TOLD]
        return when, data.action, data.by or "", "; ".join(filter(None, changes))


_TOLD = ("start_at", "end_at", "mode", "title", "invited", "booked_by")
"""What of a booking its history tells."""
_NOTHING: tuple[object, ...] = (None, UNSET, "", [])


def _changed(name: str, before: object, after: object) -> str:
    if before == after or after in _NOTHING:
        return ""
    old, new = _shown(before), _shown(after)
    word = name.removesuffix("_at").replace("_", " ")
    return f"{word} {old} → {new}" if before not in _NOTHING else f"{word} {new}"


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return times.stamp(value, datetime.now(UTC))
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def interval(
    start: times.When, end: times.When | None, duration: times.Length | None, timezone: str | None = None
) -> tuple[datetime, datetime]:
    """``[start, end)`` in UTC; a clock time for the end is the first one after the start."""
    if end is not None and duration is not None:
        raise Rejected("Give an end or a duration, not both.", code="two_ends", field="end_at")
    zone, now = times.zone_of(timezone), datetime.now(UTC)
    start_at = times.moment(start, zone, now, after=now)
    if end is not None:
        return start_at, times.moment(end, zone, now, after=start_at)
    return start_at, start_at + timedelta(seconds=times.seconds(DEFAULT_S if duration is None else duration))


def explained(error: BookingConflict, call: str, length_s: float | None = None) -> BookingConflict:
    """The lab's refusal, with what to type for the next free interval: the beginning of a ``call``, completed."""
    free_at = error.next_free_at
    if free_at is None:
        return error
    lasting = f", duration='{times.length(length_s)}'" if length_s is not None else ""
    found = BookingConflict(
        f"{error.message} Type {call}'{free_at.astimezone(times.zone_of()):%Y-%m-%d %H:%M}'{lasting}) for it."
    )
    found.data |= error.data
    return found
