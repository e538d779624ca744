"""How good the calibrations were that fragments were really measured with; and a second try for those below.

A fragment is prepared for its QPU's calibration of that moment, and may be measured with a later one: its result names
it. Where the plan has a ``min_fidelity`` and the fragment's success probability with that calibration is less, its
result is kept, and the fragment is measured once more, on the next of its QPUs. The better result counts.
"""

from __future__ import annotations

import contextlib
import logging
from typing import NamedTuple

from sqlalchemy import Connection

from qpi_jupyter.core import Event, EventKind, Figure, Forbidden, JobState, Manifest, Program, advance
from qpi_jupyter.core.calibrations import with_figures
from qpi_jupyter.core.plans import Plan, ReservationState
from qpi_jupyter.core.reservations import ENDED, Reservation, measured_again
from qpi_server.service.base import Context, Tx
from qpi_server.service.lifecycle import carry_out, find
from qpi_server.service.links import Links
from qpi_server.store import calibrations, families, jobs, reservations

from .beginning import Fragments
from .parts import Parts
from .places import latest_of
from .planning import PlanService

log = logging.getLogger(__name__)


class _Measured(NamedTuple):
    """A place with a result, and the manifest that its QPU had with the calibration of the result; None: it is the one
    that the place was prepared for."""

    place: Reservation
    manifest: Manifest | None


class Quality:
    """Looks at what fragments were measured with."""

    def __init__(self, context: Context, links: Links, planning: PlanService) -> None:
        self._context, self._links, self._planning = context, links, planning

    async def settled(self, job_id: str, plan: Plan, parts: Parts) -> bool:
        """Whether the results of a plan's job may be put together: none of its fragments is measured again, or has to
        be. All of them have completed once."""
        if not plan.request.min_fidelity:
            return True
        settled = None
        while settled is None:
            settled = await self._look(job_id, plan, parts)
        return settled

    async def _look(self, job_id: str, plan: Plan, parts: Parts) -> bool | None:
        """As `settled`; None where a result came meanwhile that nobody has looked at."""
        measured = await self._context.db.read(lambda connection: self._measured(connection, job_id))
        seen, observed = {place.id for place, _ in measured}, []
        for place, manifest in measured:
            esp = place.esp
            if manifest is not None:
                fragment = plan.fragments[place.fragment]
                esp = await self._esp(parts.fragment(fragment, plan.request.seed), manifest, plan.request.seed)
            if esp is not None:
                observed.append((place, esp))

        def unit(tx: Tx) -> bool | None:
            if any(place.id not in seen for place, _ in self._measured(tx.connection, job_id)):
                return None
            for place, esp in observed:
                reservations.observe(tx.connection, place, esp)
            self.again(tx, job_id, plan, parts)
            return not _open(tx.connection, job_id)

        return await self._context.db.write(unit)

    async def give_up(self, job_id: str) -> None:
        """There is no time left to measure anything again: the results that there are count."""

        def unit(tx: Tx) -> None:
            for place in _open(tx.connection, job_id):
                child = jobs.find(tx.connection, place.child_id)
                if child is not None:
                    carry_out(tx, child, advance(child.job, Event(kind=EventKind.CANCEL_REQUESTED, at=tx.at)))

        await self._context.db.write(unit)

    async def _esp(self, program: Program, manifest: Manifest, seed: int) -> float | None:
        compiled = await self._planning.compiled(program, manifest, seed)
        return None if compiled is None else compiled.esp

    def _measured(self, connection: Connection, job_id: str) -> list[_Measured]:
        """The places whose results nobody has looked at, as far as the calibration of these is known."""
        found = []
        places = [one for one in latest_of(connection, job_id) if one.state is ReservationState.EXECUTED]
        children = families.named(connection, [one.child_id for one in places])
        for place in places:
            if place.observed_esp is not None or place.child_id not in children:
                continue
            measured = children[place.child_id].calibration_id or ""
            if measured == place.calibration_id:
                found.append(_Measured(place, None))
            elif (manifest := self._manifest(connection, place.qpu, measured)) is not None:
                found.append(_Measured(place, manifest))
        return found

    def _manifest(self, connection: Connection, qpu: str, calibration_id: str) -> Manifest | None:
        """What the QPU was with that calibration, as far as that is kept."""
        now = self._context.qpus.get(qpu).manifest if qpu in self._context.qpus else None
        if now is None or now.calibration_id == calibration_id:
            return now
        row = calibrations.find(connection, qpu, calibration_id) if calibration_id else None
        if row is None:
            return None
        figures = (Figure(name, tuple(qubits), value, gate) for name, qubits, value, gate in row.figures)
        try:
            return with_figures(now, calibration_id, figures)
        except ValueError:  # it has other gates or qubits by now
            return None

    def again(self, tx: Tx, job_id: str, plan: Plan, parts: Parts) -> None:
        record = find(tx.connection, job_id)
        if record.job.state is not JobState.BLOCKED:
            return
        fragments = None
        for latest in latest_of(tx.connection, job_id):
            places = reservations.of_fragment(tx.connection, job_id, latest.fragment)
            choices = plan.fragments[latest.fragment].choices
            choice = measured_again(places, choices, plan.request.min_fidelity)
            if choice is None or choice.qpu not in self._context.qpus:
                continue
            fragments = fragments or Fragments(self._context, self._links, plan, parts)
            with contextlib.suppress(Forbidden):  # there is no QPU time left for that: the result stands as it is
                fragments.again(tx, record, latest, choice)
                log.info("fragment %d of %s is measured again, on %s", latest.fragment, job_id, choice.qpu)


def _open(connection: Connection, job_id: str) -> list[Reservation]:
    return [one for one in latest_of(connection, job_id) if one.state not in ENDED]
