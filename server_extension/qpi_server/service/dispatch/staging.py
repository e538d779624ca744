"""Recalls of staged jobs, and no-shows, bookings whose people do not come: looked at when a rule's moment has come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from qpi_jupyter.core import BookingMode, Job, JobState, Policy, View, begins_in, next_change, recalled
from qpi_server.service.base import Tx
from qpi_server.service.bookings import came, stayed_away, tell
from qpi_server.service.links import Link, tell_state
from qpi_server.store import JobRecord, bookings, jobs, load_rules, load_view
from qpi_server.store.view import activity_of, calendar, people


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a look found."""

    recalled: list[Job]
    """Staged jobs that should come back."""
    calm: bool
    next_at: datetime | None
    maintenance: str | None
    """The booking for maintenance that is on."""


class Look:
    """The unit of work: a look at one QPU at one moment, behind everything that was written before."""

    def __init__(
        self, qpu: str, policy: Policy, links: Iterable[Link], *, public: bool, maintenance: str | None
    ) -> None:
        self._qpu, self._policy, self._public, self._maintenance = qpu, policy, public, maintenance
        self._places = {link.driver: link.places for link in links}

    def __call__(self, tx: Tx) -> Seen:
        connection, at = tx.connection, tx.at
        self._give_back(tx)
        mine = jobs.open_on(connection, self._qpu)
        staged = [record for record in mine if record.job.state is JobState.ASSIGNED]
        if staged:
            view, _ = load_view(connection, self._qpu, at, self._policy, online=True, want=len(staged))
        else:
            view = load_rules(connection, self._qpu, at, self._policy, online=True)
        booking = view.booking
        maintenance = booking.id if booking is not None and booking.mode is BookingMode.MAINTENANCE else None
        if maintenance != self._maintenance:
            tell_state(tx, self._qpu, online=bool(self._places))
        return Seen(
            maintenance=maintenance,
            recalled=recalled(view, self._waits(mine, staged, at), at) if staged else [],
            calm=view.calm,
            next_at=next_look(view, at),
        )

    def _give_back(self, tx: Tx) -> None:
        """End the booking whose people did not come in time."""
        connection = tx.connection
        booking, _ = calendar(connection, self._qpu, tx.at)
        if booking is None or booking.no_show_at is None or booking.no_show_at > tx.at:
            return
        done = activity_of(connection, self._qpu, people(booking), booking.start_at)
        if done.open_jobs or done.last_end_at is not None:
            came(tx, booking, done.last_end_at or tx.at)
            return
        before = bookings.find(connection, booking.id)
        stayed_away(tx, booking)
        after = bookings.find(connection, booking.id)
        assert after is not None
        tell(tx, "no_show", None, before, after, public=self._public)

    def _waits(self, mine: Sequence[JobRecord], staged: Sequence[JobRecord], at: datetime) -> list[tuple[Job, float]]:
        """The staged jobs, each with how long it waits at the worst behind what its driver was given before."""
        waits = []
        for record in staged:
            driver = record.job.driver or ""
            before = [
                left_s(other, at)
                for other in mine
                if other.job.driver == driver and (other not in staged or other.job.seq < record.job.seq)
            ]
            places = self._places.get(driver, 1)
            waits.append((record.job, begins_in(before, places) if len(before) >= places else 0.0))
        return waits


def next_look(view: View, now: datetime) -> datetime | None:
    """When to ask again if nothing else happens."""
    no_show_at = view.booking.no_show_at if view.booking is not None else None
    moments = (next_change(view, now), no_show_at)
    return min((moment for moment in moments if moment is not None and moment > now), default=None)


def wait_s(connection: Connection, driver: str, places: int, now: datetime) -> float:
    """How long a job may wait with this driver, at the worst, behind those that it has."""
    return begins_in([left_s(record, now) for record in jobs.open_of_driver(connection, driver)], places)


def left_s(record: JobRecord, now: datetime) -> float:
    """How much longer an open job may take at the worst."""
    run_s = (now - record.started_at).total_seconds() if record.started_at is not None else 0.0
    return max(0.0, record.job.upper_s - run_s)
