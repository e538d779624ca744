"""Rows of bookings, their series and their rules."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from qpi_jupyter.core import Booking, BookingMode, BookingStatus, Calendar, Interval

from .rows import each, equal, first, some, whole
from .schema import booking_rules, booking_series, bookings

_BOOKED = BookingStatus.BOOKED.value
_OUTLINE = tuple(bookings.c[name] for name in ("id", "qpu", "booked_by", "start_at", "end_at", "mode"))
"""What a clash is seen by; there may be thousands of rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingRow:
    """A booking and what the rules need not know of it."""

    booking: Booking
    version: int = 1
    title: str = ""
    series_id: str | None = None
    slot_id: str | None = None
    timezone: str = "UTC"
    used_at: datetime | None = None
    created_at: datetime
    changed_at: datetime


_BESIDE = tuple(field.name for field in fields(BookingRow) if field.name != "booking")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRow:
    """What the bookings of a series were expanded from."""

    id: str
    rrule: str
    timezone: str
    booked_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """A rule and whom it is for; ``rule`` is JSON."""

    id: str
    qpu: str | None
    group: str | None
    rule: dict[str, Any]
    changed_by: str
    changed_at: datetime


def booking_of(found: Any) -> Booking:
    """What the rules know of a row (Any: of `bookings`, whichever query brought it)."""
    return Booking(
        id=found.id,
        qpu=found.qpu,
        booked_by=found.booked_by,
        start_at=found.start_at,
        end_at=found.end_at,
        mode=BookingMode(found.mode),
        invited=frozenset(found.invited),
        status=BookingStatus(found.status),
        used=found.used_at is not None,
        no_show_s=found.no_show_s,
    )


def settled(connection: Connection, most: int) -> list[tuple[str, bool]]:
    """The QPUs of the latest bookings that are given back where nobody comes, and whether somebody came; the oldest
    first."""
    unused = bookings.c.status == BookingStatus.NO_SHOW.value
    query = (
        select(bookings.c.qpu, bookings.c.used_at.is_not(None))
        .where(bookings.c.no_show_s.is_not(None), or_(unused, bookings.c.used_at.is_not(None)))
        .order_by(bookings.c.start_at.desc())
        .limit(most)
    )
    return [(qpu, bool(used)) for qpu, used in connection.execute(query)][::-1]


_MAINTENANCE = select(bookings).where(
    bookings.c.status == _BOOKED,
    bookings.c.end_at > bindparam("now"),
    bookings.c.start_at <= bindparam("now"),
    bookings.c.mode == BookingMode.MAINTENANCE.value,
)
_MAINTENANCE_OF = _MAINTENANCE.where(bookings.c.qpu == bindparam("on"))


def maintenance(connection: Connection, now: datetime, *, qpu: str | None = None) -> dict[str, Booking]:
    """The maintenance that is on, by QPU; everywhere, or on one."""
    query, values = (_MAINTENANCE, {"now": now}) if qpu is None else (_MAINTENANCE_OF, {"now": now, "on": qpu})
    return {booking.qpu: booking for booking in each(connection.execute(query, values), booking_of)}


def _row(found: Any) -> BookingRow:
    # Any: a row of `bookings`, whichever query brought it.
    return BookingRow(booking=booking_of(found), **_beside(found))


def _values(row: BookingRow) -> dict[str, Any]:
    booking = row.booking
    return {
        "id": booking.id,
        "qpu": booking.qpu,
        "booked_by": booking.booked_by,
        "start_at": booking.start_at,
        "end_at": booking.end_at,
        "mode": booking.mode.value,
        "status": booking.status.value,
        "invited": sorted(booking.invited),
        "no_show_s": booking.no_show_s,
        **_beside(row),
    }


def _beside(row: Any) -> dict[str, Any]:
    """What a `BookingRow` has beside its booking (Any: of one, or of a row of `bookings`)."""
    return {name: getattr(row, name) for name in _BESIDE}


def add(connection: Connection, rows: Iterable[BookingRow]) -> None:
    """Write new bookings."""
    connection.execute(insert(bookings), [_values(row) for row in rows])


def save(connection: Connection, row: BookingRow) -> None:
    """Write what became of a booking."""
    connection.execute(update(bookings).where(bookings.c.id == row.booking.id).values(**_values(row)))


def find(connection: Connection, booking_id: str) -> BookingRow | None:
    """The booking of that id, if there is one."""
    return first(connection, select(bookings).where(bookings.c.id == booking_id), _row)


def of_series(connection: Connection, series_id: str) -> list[BookingRow]:
    """The bookings of a series that still stand, by start."""
    return _standing(connection, bookings.c.series_id == series_id)


def of_slot(connection: Connection, slot_id: str) -> list[BookingRow]:
    """The bookings of a slot that still stand, by QPU."""
    return _standing(connection, bookings.c.slot_id == slot_id)


def _standing(connection: Connection, which: ColumnElement[bool]) -> list[BookingRow]:
    query = select(bookings).where(which, bookings.c.status == _BOOKED).order_by(bookings.c.start_at, bookings.c.qpu)
    return list(each(connection.execute(query), _row))


def calendar(
    connection: Connection,
    qpus: Collection[str],
    since: datetime,
    until: datetime | None = None,
    *,
    without: Collection[str] = (),
) -> Calendar:
    """What is booked on ``qpus`` from ``since`` to ``until``, but for the bookings ``without``."""
    standing = (bookings.c.qpu.in_(qpus), bookings.c.status == _BOOKED, bookings.c.end_at > since)
    query = select(*_OUTLINE).where(*standing)
    if until is not None:
        query = query.where(bookings.c.start_at < until)
    rows = (row for row in connection.execute(query) if row.id not in without)
    found = each(rows, lambda row: Booking(**{**row._mapping, "mode": BookingMode(row.mode)}))
    if until is None:
        return Calendar(found)
    return Calendar(found, whole=lambda: calendar(connection, qpus, since, without=without))


def own(
    connection: Connection, person: str, qpus: Collection[str], since: datetime, *, without: Collection[str] = ()
) -> dict[str, list[Interval]]:
    """When ``person`` has each of ``qpus``, from the day before ``since`` on, but for the bookings ``without``."""
    query = select(bookings.c.id, bookings.c.qpu, bookings.c.start_at, bookings.c.end_at).where(
        bookings.c.booked_by == person, bookings.c.qpu.in_(qpus), bookings.c.status == _BOOKED,
        bookings.c.end_at > since - timedelta(days=1),
    )  # fmt: skip
    rows = [row for row in connection.execute(query) if row.id not in without]
    return {qpu: [(row.start_at, row.end_at) for row in rows if row.qpu == qpu] for qpu in qpus}


def to_come(connection: Connection, qpu: str, now: datetime) -> int:
    """How many bookings of ``qpu`` are not over."""
    standing = (bookings.c.qpu == qpu, bookings.c.status == _BOOKED, bookings.c.end_at > now)
    return connection.execute(select(func.count()).where(*standing)).scalar_one()


def of_person(person: str) -> ColumnElement[bool]:
    """The condition that a booking is theirs: they booked it, or are invited."""
    return or_(bookings.c.booked_by == person, _holds(bookings.c.invited, literal(person)))


class _holds(FunctionElement[bool]):
    """Whether a list in a column of JSON has this text in it."""

    type = Boolean()
    inherit_cache = True


@compiles(_holds, "sqlite")
def _holds_sqlite(element: _holds, compiler: SQLCompiler, **options: Any) -> str:
    # Any: the compiler's own options, passed on.
    column, text = (compiler.process(clause, **options) for clause in element.clauses)
    return f"EXISTS (SELECT 1 FROM json_each({column}) AS held WHERE held.value = {text})"


@compiles(_holds, "postgresql")
def _holds_postgresql(element: _holds, compiler: SQLCompiler, **options: Any) -> str:
    column, text = (compiler.process(clause, **options) for clause in element.clauses)
    return f"EXISTS (SELECT 1 FROM json_array_elements_text({column}) AS held (value) WHERE held.value = {text})"


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingFilter:
    """Which bookings are asked for; None: it does not matter."""

    qpu: str | None = None
    start_at: datetime | None = None
    """Not over then."""
    end_at: datetime | None = None
    """Begun before then."""
    person: str | None = None
    slots: bool = False
    statuses: Sequence[BookingStatus] = tuple(s for s in BookingStatus if s is not BookingStatus.DELETED)


def page(
    connection: Connection, wanted: BookingFilter, *, after: tuple[datetime, str] | None = None, limit: int
) -> list[BookingRow]:
    """Up to ``limit`` bookings by start and id, from behind ``after``."""
    query = _filtered(wanted).order_by(bookings.c.start_at, bookings.c.id)
    if after is not None:
        start_at, booking_id = after
        later = and_(bookings.c.start_at == start_at, bookings.c.id > booking_id)
        query = query.where(or_(bookings.c.start_at > start_at, later))
    return some(connection, query, _row, limit)


def _filtered(wanted: BookingFilter) -> Select[Any]:
    query = select(bookings).where(
        bookings.c.status.in_([status.value for status in wanted.statuses]), *equal({bookings.c.qpu: wanted.qpu})
    )
    if wanted.start_at is not None:
        query = query.where(bookings.c.end_at > wanted.start_at)
    if wanted.end_at is not None:
        query = query.where(bookings.c.start_at < wanted.end_at)
    if wanted.person is not None:
        query = query.where(of_person(wanted.person))
    if wanted.slots:
        query = query.where(bookings.c.slot_id.is_not(None))
    return query


def lately(
    connection: Connection, *, qpu: str | None, person: str | None, since: datetime, limit: int
) -> list[BookingRow]:
    """What a feed shows: bookings that ended after ``since``, and those given up since; the latest ones first."""
    gone = and_(bookings.c.status != _BOOKED, bookings.c.changed_at > since)
    query = select(bookings).where(
        or_(bookings.c.status == _BOOKED, gone), bookings.c.end_at > since, *equal({bookings.c.qpu: qpu})
    )
    if person is not None:
        query = query.where(of_person(person))
    return some(connection, query.order_by(bookings.c.start_at.desc()), _row, limit)


# --- series and rules


def add_series(connection: Connection, row: SeriesRow) -> None:
    """Write a series."""
    connection.execute(insert(booking_series), asdict(row))


def rules(connection: Connection) -> list[RuleRow]:
    """Every rule, the most general first."""
    query = select(booking_rules).order_by(
        booking_rules.c.qpu.is_not(None), booking_rules.c.group.is_not(None), booking_rules.c.qpu, booking_rules.c.group
    )
    return list(each(connection.execute(query), whole(RuleRow)))


def put_rule(connection: Connection, row: RuleRow) -> RuleRow | None:
    """Write the rule of ``row``'s QPU and group; the one that it takes the place of, whose id it then keeps."""
    table = booking_rules
    before = next((old for old in rules(connection) if (old.qpu, old.group) == (row.qpu, row.group)), None)
    values = asdict(row)
    if before is None:
        connection.execute(insert(table), values)
    else:
        del values["id"]
        connection.execute(update(table).where(table.c.id == before.id).values(**values))
    return before


def delete_rule(connection: Connection, rule_id: str) -> RuleRow | None:
    """Take a rule out; what it was, if there was one."""
    found = next((row for row in rules(connection) if row.id == rule_id), None)
    connection.execute(delete(booking_rules).where(booking_rules.c.id == rule_id))
    return found
