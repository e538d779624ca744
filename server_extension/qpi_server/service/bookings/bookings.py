"""Bookings: make, move, shorten, release, delete, and tell when there is room."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from qpi_jupyter.core import BookingStatus, Conflict, NotFound, Principal, QpiError, Rejected, existing, moment
from qpi_jupyter.core.booking_rules import FREE
from qpi_jupyter.core.bookings import book, next_free, rebook, require_open
from qpi_jupyter.wire.bookings import BookingChange, BookingIn, BookingList, BookingModel, Imported, NextFree
from qpi_jupyter.wire.events import BookingAction, EventPage
from qpi_server.calendars.events import IcsEvent
from qpi_server.service.base import Context, Tx, the_qpu
from qpi_server.service.lifecycle import event_models
from qpi_server.store import BookingFilter, BookingRow, bookings, facts

from .checks import LONGEST, cursor_of, manages, read_cursor, require_own, require_standing
from .ics import Imports
from .news import booking_model, tell
from .plans import Plan, changed, first_interval, new_version, plan, repeated, require_apart
from .rules import BookingRules

MAX_PAGE = 2_000
Series = Literal["this", "following", "all"]
Rows = list[BookingRow]
Changes = list[tuple[BookingRow, BookingChange]]
Models = list[BookingModel]
Pairs = Sequence[tuple[BookingRow, BookingRow]]


class BookingService:
    """Everybody's bookings. Whether one clashes is looked up in the transaction that writes it."""

    def __init__(self, context: Context, rules: BookingRules) -> None:
        self._context, self._db, self._rules = context, context.db, rules
        self._public = context.config.public_bookings
        self._imports = Imports()

    async def create(
        self, principal: Principal, request: BookingIn, *, without: Collection[datetime] = ()
    ) -> BookingList:
        """Book an interval, its repetitions, or a slot of several QPUs: all of it or nothing. A repetition that would
        begin at one of ``without`` is left out.

        Raises
        ------
        Rejected
            the request is no booking, or breaks a rule; ``field`` says where.
        BookingConflict
            something is booked; with the next free interval.
        """
        first = first_interval(principal, request)
        qpus, owner, now = self._targets(request), request.booked_by or principal.name, self._context.now()
        rule = await self._db.read(lambda connection: self._rules.binding(connection, principal, owner, qpus))
        wanted = await plan(principal, request, first, qpus, rule=rule, now=now, without=without)

        def unit(tx: Tx) -> None:
            for qpu in qpus:
                the_qpu(tx.connection, qpu)
            _require_room(tx.connection, principal, wanted)
            if wanted.series is not None:
                bookings.add_series(tx.connection, wanted.series)
            bookings.add(tx.connection, wanted.rows)
            for row in wanted.rows:
                tell(tx, "created", principal, None, row, public=self._public)

        await self._db.write(unit, at=now)
        return BookingList(bookings=self._models(principal, wanted.rows), cut_at=wanted.cut_at)

    async def list(
        self,
        principal: Principal,
        *,
        qpu: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        mine: bool = False,
        slots: bool = False,
        status: BookingStatus | None = None,
        limit: int = 500,
        after: str | None = None,
    ) -> BookingList:
        """The bookings that share a moment with ``[start, end)``, by start; all but the deleted, or one status."""
        if qpu is not None:
            self._context.qpus.get(qpu)
        wanted = BookingFilter(
            qpu=qpu,
            start_at=None if start is None else moment(start, "start"),
            end_at=None if end is None else moment(end, "end"),
            person=principal.name if mine else None,
            slots=slots,
            statuses=BookingFilter().statuses if status is None else (status,),
        )
        limit = max(1, min(limit, MAX_PAGE))
        cursor = None if after is None else read_cursor(after)
        rows = await self._db.search(
            principal,
            lambda connection: bookings.page(connection, wanted, after=cursor, limit=limit + 1),
            narrow="Name a QPU, or a start and an end that are closer together.",
        )
        more = len(rows) > limit
        rows = rows[:limit]
        return BookingList(bookings=self._models(principal, rows), next=cursor_of(rows[-1]) if more else None)

    async def get(self, principal: Principal, booking_id: str) -> BookingModel:
        """One booking, whatever became of it."""
        row = await self._db.read(lambda connection: _find(connection, booking_id))
        return booking_model(row, principal, public=self._public)

    async def history(self, principal: Principal, booking_id: str) -> EventPage:
        """Everything that was done to a booking, oldest first."""

        def query(connection: Connection) -> list[facts.EventRow]:
            _find(connection, booking_id)
            return facts.events_of_booking(connection, booking_id)

        rows = await self._db.read(query)
        return EventPage(events=event_models(rows, 0), cursor=rows[-1].seq if rows else 0)

    async def change(
        self, principal: Principal, booking_id: str, request: BookingChange, *, series: Series = "this"
    ) -> BookingModel:
        """Move, shorten or rename a booking, with all of its slot; or as much of its series, by the wall clock.

        What has begun of a series, other than the booking itself, stays as it is.

        Raises
        ------
        Conflict
            its version is another one by now, it has begun, or is over; or it would clash (`BookingConflict`).
        """

        def members(connection: Connection) -> Changes:
            row = _find(connection, booking_id)
            if request.version is not None and request.version != row.version:
                message = f"The booking has changed since version {request.version}: read it again."
                raise Conflict(message, code="version_mismatch", field="version", version=row.version)
            rows = [r for r in _chosen(connection, row, series) if r.booking.start_at > self._context.now()]
            rows = rows if row in rows else [*_with_slot(connection, row), *rows]
            return [(other, repeated(request, row, other)) for other in rows]

        rows = await self._change(principal, members)
        return booking_model(next(r for r in rows if r.booking.id == booking_id), principal, public=self._public)

    async def change_slot(self, principal: Principal, slot_id: str, request: BookingChange) -> BookingList:
        """Move, shorten or rename all bookings of a slot, or none."""
        rows = await self._change(principal, lambda c: [(row, request) for row in _slot(c, slot_id)])
        return BookingList(bookings=self._models(principal, rows))

    async def release(self, principal: Principal, booking_id: str) -> BookingModel:
        """Give the rest of a booking back; with it all of its slot. What was used of it stays on record."""
        now = self._context.now()

        def released(row: BookingRow) -> BookingRow:
            require_standing(row)
            require_open(row.booking, now)
            end_at = now if row.booking.start_at < now else row.booking.end_at
            return new_version(row, replace(row.booking, status=BookingStatus.RELEASED, end_at=end_at), now)

        def unit(tx: Tx) -> Rows:
            rows = _with_slot(tx.connection, _find(tx.connection, booking_id))
            require_own(principal, rows[0])
            return self._save(tx, principal, "released", [(row, released(row)) for row in rows])

        rows = await self._db.write(unit, at=now)
        return booking_model(next(r for r in rows if r.booking.id == booking_id), principal, public=self._public)

    async def delete(self, principal: Principal, booking_id: str, *, series: Series = "this") -> BookingList:
        """Delete a booking; or it and those that follow it in its series; or all of the series.

        What has begun is only for managers to delete: a series loses the rest.

        Raises
        ------
        Conflict
            there is nothing (left) to delete.
        """

        def chosen(connection: Connection) -> list[BookingRow]:
            row = _find(connection, booking_id)
            rows = _chosen(connection, row, series)
            if manages(principal) or series == "this" or row.series_id is None:
                return rows
            return [other for other in rows if other.booking.start_at > self._context.now()]

        return await self._delete(principal, chosen)

    async def delete_slot(self, principal: Principal, slot_id: str) -> BookingList:
        """Delete all bookings of a slot."""
        return await self._delete(principal, lambda connection: _slot(connection, slot_id))

    async def next_free(
        self, principal: Principal, qpu: str, seconds: float, after: datetime | None = None
    ) -> NextFree:
        """The first interval of that length that ``principal`` may book.

        Raises
        ------
        Conflict
            there is none as far ahead as they may book.
        """
        self._context.qpus.get(qpu)
        if not (math.isfinite(seconds) and 0 < seconds <= LONGEST.total_seconds()):
            message = f"seconds is over 0 and at most {LONGEST.total_seconds():g}."
            raise Rejected(message, code="bad_query", field="seconds")
        now = self._context.now()
        begin = now if after is None else max(now, moment(after, "after"))

        def query(connection: Connection) -> tuple[datetime, datetime] | None:
            rule = FREE if manages(principal) else self._rules.binding(connection, principal, principal.name, [qpu])
            return next_free(bookings.calendar(connection, [qpu], begin), seconds, begin, now, rule=rule)

        found = existing(
            await self._db.read(query),
            Conflict(f"{qpu} has no free interval of this length as far as you may book.", code="nothing_free"),
        )
        return NextFree(qpu=qpu, start_at=found[0], end_at=found[1])

    async def import_ics(self, principal: Principal, text: str, qpu: str) -> Imported:
        """Book what an iCalendar file says, event by event; those that cannot be are reported, not booked.

        Raises
        ------
        Rejected
            it is no calendar, or has too many events.
        TooMany
            too many files of ``principal`` are being read.
        """
        self._context.qpus.get(qpu)

        async def create(event: IcsEvent) -> Models:
            return (await self.create(principal, event.request(qpu), without=frozenset(event.without))).bookings

        return await self._imports.run(principal, text, create)

    # --- what the use cases share

    def _targets(self, request: BookingIn) -> Sequence[str]:
        """The QPUs that are meant, each once and there."""
        if (request.qpu is None) == (not request.qpus):
            raise Rejected("Name one QPU (qpu) or several (qpus).", code="bad_request", field="qpu")
        names = request.qpus if request.qpu is None else [request.qpu]
        if len(set(names)) != len(names):
            raise Rejected("A QPU is named twice.", code="bad_request", field="qpus")
        return [self._context.qpus.get(name).name for name in names]

    async def _change(self, principal: Principal, members: Callable[[Connection], Changes]) -> Rows:
        def unit(tx: Tx) -> Rows:
            connection, now = tx.connection, tx.at
            wanted = members(connection)
            rows = [row for row, _ in wanted]
            owner, ids = rows[0].booking.booked_by, {row.booking.id for row in rows}
            qpus = [row.booking.qpu for row in rows]
            require_own(principal, rows[0])
            pairs = [(row, changed(principal, row, request, now)) for row, request in wanted]
            require_apart(after for _, after in pairs)
            since = min(after.booking.start_at for _, after in pairs)
            until = max(after.booking.end_at for _, after in pairs)
            calendar = bookings.calendar(connection, qpus, since, until, without=ids)
            own = bookings.own(connection, owner, qpus, min(since, now), without=ids)
            rule = self._rules.binding(connection, principal, owner, qpus)
            for before, after in pairs:
                booking, others = after.booking, own[after.booking.qpu]
                with _occurrence(after, once=len({row.booking.start_at for row in rows}) == 1):
                    rebook(calendar, before.booking, booking, now, rule=rule, own=others, free=manages(principal))
                others.append((booking.start_at, booking.end_at))
            return self._save(tx, principal, "changed", pairs)

        return await self._db.write(unit)

    async def _delete(self, principal: Principal, chosen: Callable[[Connection], Rows]) -> BookingList:
        now = self._context.now()

        def unit(tx: Tx) -> Rows:
            rows = chosen(tx.connection)
            if not rows:
                raise Conflict("Everything of this series has begun or is gone.", code="already_started")
            require_own(principal, rows[0])
            return self._save(tx, principal, "deleted", [(row, deleted(row)) for row in rows])

        def deleted(row: BookingRow) -> BookingRow:
            require_standing(row)
            if row.booking.start_at <= now and not manages(principal):
                require_open(row.booking, now)
                raise Conflict("This booking has begun: release it to end it now.", code="already_started")
            return new_version(row, replace(row.booking, status=BookingStatus.DELETED), now)

        rows = await self._db.write(unit, at=now)
        return BookingList(bookings=self._models(principal, rows))

    def _save(self, tx: Tx, principal: Principal, action: BookingAction, pairs: Pairs) -> Rows:
        """Write what changed, and tell it."""
        for before, after in pairs:
            if after.version != before.version:
                bookings.save(tx.connection, after)
                tell(tx, action, principal, before, after, public=self._public)
        return [after for _, after in pairs]

    def _models(self, principal: Principal, rows: Sequence[BookingRow]) -> Models:
        return [booking_model(row, principal, public=self._public) for row in rows]


def _require_room(connection: Connection, principal: Principal, wanted: Plan) -> None:
    """Refuse the plan if one of its bookings breaks a rule or clashes."""
    first, last = wanted.rows[0].booking, wanted.rows[-1].booking
    calendar = bookings.calendar(connection, wanted.qpus, first.start_at, last.end_at)
    own = bookings.own(connection, wanted.owner, wanted.qpus, min(first.start_at, wanted.now))
    for row in wanted.rows:
        booking, mine = row.booking, own[row.booking.qpu]
        with _occurrence(row, once=wanted.series is None):
            book(calendar, booking, wanted.now, rule=wanted.rule, own=mine, free=manages(principal))
        mine.append((booking.start_at, booking.end_at))


@contextmanager
def _occurrence(row: BookingRow, *, once: bool) -> Iterator[None]:
    """Let a refusal say which repetition it is about."""
    try:
        yield
    except QpiError as error:
        if not once:
            error.data["occurrence"] = row.booking.start_at.isoformat()
        raise


def _chosen(connection: Connection, row: BookingRow, series: Series) -> Rows:
    """The booking with its slot; or it and those behind it in its series; or all of the series."""
    if series == "this" or row.series_id is None:
        return _with_slot(connection, row)
    rows = bookings.of_series(connection, row.series_id)
    return rows if series == "all" else [r for r in rows if r.booking.start_at >= row.booking.start_at]


def _find(connection: Connection, booking_id: str) -> BookingRow:
    return existing(
        bookings.find(connection, booking_id), NotFound(f"There is no booking {booking_id!r}.", code="unknown_booking")
    )


def _slot(connection: Connection, slot_id: str) -> list[BookingRow]:
    rows = bookings.of_slot(connection, slot_id)
    if not rows:
        raise NotFound(f"There is no slot {slot_id!r}.", code="unknown_slot")
    return rows


def _with_slot(connection: Connection, row: BookingRow) -> list[BookingRow]:
    """The booking with all that are one slot with it."""
    if row.slot_id is None or row.booking.status is not BookingStatus.BOOKED:
        return [row]
    return bookings.of_slot(connection, row.slot_id)
