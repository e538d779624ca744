"""Fragments that leave a QPU: their time there is over, its driver is gone, or it takes no jobs any more."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from qpi_jupyter.core import Conflict, Event, EventKind, JobState, advance, times
from qpi_jupyter.core.plans import Plan, ReservationState
from qpi_jupyter.core.reservations import ENDED, TTL_S, Reservation
from qpi_jupyter.core.reservations import ReservationEventKind as Kind
from qpi_server.service.base import Context, Timers, Tx, Wake
from qpi_server.service.lifecycle import Change, carry_out, end
from qpi_server.service.links import Links, Unlinked
from qpi_server.store import jobs, reservations

from .places import Places, closed, latest_of, left_for, unreachable
from .stored import plan_of_job

LOOK_AGAIN_S = 5.0
"""What has begun on a QPU whose driver is gone may come to wait again: so long, it is looked at again."""


class Leaving:
    """Moves what waits in vain to its next QPU."""

    def __init__(self, context: Context, links: Links, places: Places) -> None:
        self._context, self._links, self._places = context, links, places
        self._timers = Timers(context.clock)
        self._recovered: frozenset[str] = frozenset()
        """Jobs of an earlier server: their QPUs come back one by one."""
        self._back_at = context.now()
        """When all that are still there have come back."""
        context.commits.on(Unlinked, self._unlinked)
        context.commits.on(Wake, lambda wake: self._look(wake.qpu))
        context.commits.on(Change, self._returned)

    def recover(self, job_ids: Collection[str]) -> None:
        """Take up what an earlier server left, and give its drivers time to come back."""
        self._recovered = frozenset(job_ids)
        self._back_at = times.after(self._context.now(), 2 * self._context.config.lease_s)
        if self._recovered:
            self._timers.after(2 * self._context.config.lease_s, "back", self._all_back)
            for qpu in self._context.qpus.names:
                self._look(qpu)

    def close(self) -> None:
        """Nothing is moved any more."""
        self._timers.close()

    def returning(self, job_id: str) -> bool:
        """Whether drivers may still be on their way back to this lab, for a job that an earlier server had."""
        return job_id in self._recovered and self._context.now() < self._back_at

    def expire(self, tx: Tx, job_id: str, plan: Plan) -> None:
        """What becomes of the places of a plan's job whose time is over."""
        for one in latest_of(tx.connection, job_id):
            if one.expires_at > tx.at or one.state in ENDED:
                continue
            if self.returning(job_id):  # nobody could do anything while there was no server
                reservations.prolong(tx.connection, one, times.after(tx.at, TTL_S))
            elif one.state is ReservationState.COMMITTED:
                self.overdue(tx, plan, one, "The fragment did not begin in its time.")
            else:
                problem = Conflict("The places of the plan were not prepared in time.", code="expired")
                self._places.next(tx, plan, one, problem, Kind.EXPIRED)

    def overdue(self, tx: Tx, plan: Plan, place: Reservation, reason: str) -> None:
        """A committed place whose fragment waits in vain: it goes to its next QPU. Where it is on its last, it fails
        if the driver there is gone; and else, or where it has begun, it keeps its place a while longer."""
        child = jobs.find(tx.connection, place.child_id)
        if child is None:
            return
        choice = left_for(tx.connection, plan, place)
        if choice is None and child.job.state is JobState.QUEUED and self._gone(place.qpu, place.job_id):
            error = unreachable(place.qpu).to_dict()
            carry_out(tx, child, advance(child.job, Event(kind=EventKind.ABANDONED, at=tx.at, error=error)))
            return
        if choice is None or child.job.state is not JobState.QUEUED:
            if place.expires_at <= tx.at:
                reservations.prolong(tx.connection, place, times.after(tx.at, TTL_S))
            return
        end(tx, place, Kind.EXPIRED, owner=child.job.owner, reason=reason)
        self._places.move(tx, place, child, choice)

    def _gone(self, qpu: str, job_id: str) -> bool:
        """Whether a QPU's driver is gone; those of an earlier server's jobs have time to come back."""
        back = job_id not in self._recovered or self._context.now() >= self._back_at
        return back and not self._links.online(qpu)

    def _all_back(self) -> None:
        """The drivers that are not there by now are gone."""
        for qpu in self._context.qpus.names:
            self._lost(qpu)

    def _unlinked(self, gone: Unlinked) -> None:
        """A driver's link is no more: if none comes within its lease, what waits for it goes elsewhere."""
        qpu = gone.link.qpu
        self._timers.after(self._context.config.lease_s, f"lost {qpu}", lambda: self._lost(qpu))

    def _lost(self, qpu: str) -> None:
        if not self._links.online(qpu):
            self._context.tasks.start(self._leave(qpu), f"plans leave {qpu}")

    async def _leave(self, qpu: str) -> None:
        def unit(tx: Tx) -> bool:
            found = _open_on(tx.connection, qpu)
            for plan, place in found:
                if place.state is ReservationState.COMMITTED:
                    self.overdue(tx, plan, place, unreachable(qpu).message)
            return bool(found)

        if await self._context.db.write(unit):  # what has begun there may come to wait again
            self._timers.after(LOOK_AGAIN_S, f"lost {qpu}", lambda: self._lost(qpu))

    def _returned(self, change: Change) -> None:
        """A fragment that a driver gave back waits again."""
        if change.queued and change.freed and change.after.parent is not None:
            self._look(change.after.job.qpu)

    def _look(self, qpu: str) -> None:
        """A QPU may take no jobs any more."""
        self._context.tasks.start(self._empty(qpu), f"plans leave {qpu}")

    async def _empty(self, qpu: str) -> None:
        def waits(connection: Connection) -> bool:
            return closed(connection, qpu, self._context.now()) is not None and bool(_open_on(connection, qpu))

        if await self._context.db.read(waits):
            await self._context.db.write(lambda tx: self.empty(tx, qpu))

    def empty(self, tx: Tx, qpu: str) -> None:
        """Where a QPU takes no jobs, move what is prepared or waits there, as far as it has another one to go to."""
        if (problem := closed(tx.connection, qpu, tx.at)) is None:
            return
        for plan, place in _open_on(tx.connection, qpu):
            if left_for(tx.connection, plan, place) is None:  # it waits, whether the driver is there now or not
                continue
            if place.state is ReservationState.COMMITTED:
                self.overdue(tx, plan, place, problem.message)
            else:
                self._places.next(tx, plan, place, problem, Kind.REFUSED)


def _open_on(connection: Connection, qpu: str) -> list[tuple[Plan, Reservation]]:
    """The places that are prepared or committed on a QPU, each with its plan."""
    found, plans_of = [], dict[str, Plan | None]()
    for place in reservations.held_on(connection, qpu):
        if place.job_id not in plans_of:
            plans_of[place.job_id] = plan_of_job(connection, place.job_id)
        if (plan := plans_of[place.job_id]) is not None:
            found.append((plan, place))
    return found
