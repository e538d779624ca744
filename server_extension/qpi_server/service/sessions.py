"""The drivers that are connected now, by QPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from qpi_jupyter.wire.frames import ABORT, RECALL, Abort

from .room import Room

if TYPE_CHECKING:
    from .drivers import DriverSession


class Sessions:
    """Every driver that said hello and whose link is open."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._by_driver: dict[str, DriverSession] = {}

    def add(self, session: DriverSession) -> None:
        self._by_driver[session.driver] = session
        self._count(session.qpu)

    def remove(self, session: DriverSession) -> bool:
        """Whether it was still the driver's session."""
        if self._by_driver.get(session.driver) is not session:
            return False
        del self._by_driver[session.driver]
        self._count(session.qpu)
        return True

    def get(self, driver: str) -> DriverSession | None:
        return self._by_driver.get(driver)

    def all(self) -> list[DriverSession]:
        return list(self._by_driver.values())

    def of(self, qpu: str) -> Iterator[DriverSession]:
        """Those that run jobs of ``qpu``; monitors do not."""
        return (s for s in self._by_driver.values() if s.qpu == qpu and not s.monitor)

    def online(self, qpu: str) -> bool:
        return next(self.of(qpu), None) is not None

    def places(self, qpu: str) -> int:
        return sum(session.places for session in self.of(qpu))

    def abort(self, driver: str, job_id: str, attempt: int) -> None:
        """Tell a driver to stop an attempt; a lost word is repeated at its next heartbeat."""
        session = self._by_driver.get(driver)
        if session is not None:
            body = Abort(job_id=job_id, attempt=attempt)
            self._room.outbox.tasks.start(session.peer.publish(ABORT, body), f"abort {job_id}")

    def recall(self, driver: str, job_id: str, attempt: int) -> None:
        """Ask a driver for an attempt that it may not have begun; a lost word costs the wait for it."""
        session = self._by_driver.get(driver)
        if session is not None:
            body = Abort(job_id=job_id, attempt=attempt)
            self._room.outbox.tasks.start(session.peer.publish(RECALL, body), f"recall {job_id}")

    def _count(self, qpu: str) -> None:
        self._room.metrics.drivers.labels(qpu).set(len(list(self.of(qpu))))
