"""The composition root: puts the use cases together and runs them."""

from __future__ import annotations

import contextlib
from typing import Any

from prometheus_client import CollectorRegistry
from sqlalchemy import text

from qpi_jupyter.core.access import Principal
from qpi_jupyter.core.errors import QpiError
from qpi_jupyter.wire import WIRE_VERSION
from qpi_jupyter.wire.rest import Health, Services
from qpi_server.store import SqliteStore, bench
from qpi_server.store.blobs import Blobs
from qpi_server.store.filesystem import require_local

from .accounts import AccountService
from .audit import AuditService
from .bench import BenchService
from .bookings import BookingService
from .checking import Checker
from .clock import Clock
from .config import LabConfig
from .dispatch import Dispatcher
from .door import Door
from .driver_logs import DriverLogs
from .drivers import DriverService
from .embedded import EmbeddedService
from .events import EventService
from .feeds import FeedService
from .jobs import JobService
from .metrics import Metrics
from .notices import NoticeService
from .outbox import Outbox
from .people import PeopleService
from .qpu_sessions import QpuSessionService
from .qpus import QpuService
from .reconcile import Reconciler
from .replays import ReplayService
from .retention import Retention
from .room import Room
from .sessions import Sessions
from .submit import Submitter
from .telemetry import TelemetryService
from .time_requests import TimeRequestService
from .tokens import TokenService
from .transcripts import TranscriptService

DATABASE = "lab.sqlite3"
BLOBS = "blobs"


class Lab:
    """One lab: its queue, its QPUs, its people. Made by `open`, ended by `close`.

    Exactly one process has a lab folder open; whoever calls `open` holds the folder's lock.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._sessions = sessions = Sessions(room)
        self._dispatcher = Dispatcher(room, sessions)
        self.telemetry = TelemetryService(room, sessions)
        self._reconciler = Reconciler(room, sessions, self._greeted)
        self.driver_logs = DriverLogs(room)
        self.drivers = DriverService(
            room, self._reconciler, sessions, self._dispatcher.claim, self.telemetry.heard, self.driver_logs.heard
        )
        self._checker = Checker(room, sessions, self.drivers)
        self.jobs = JobService(room, sessions, self._reconciler, Submitter(room, sessions, self._checker))
        self.transcripts = TranscriptService(self.jobs)
        self.events = EventService(room)
        self.qpus = QpuService(room, sessions)
        self.qpu_sessions = QpuSessionService(room, sessions)
        self.accounts = AccountService(room)
        self.time_requests = TimeRequestService(room)
        door = Door(room)
        self.tokens = TokenService(room, door, sessions)
        self.people = PeopleService(room, door, self.tokens)
        self.notices = NoticeService(room)
        self.audit = AuditService(room)
        self._retention = Retention(room)
        self.bookings = BookingService(room)
        self.feeds = FeedService(room)
        self.embedded = EmbeddedService(room, door, sessions, self.people)
        self.bench = BenchService(room, door, sessions, self.people, self.embedded, self.qpus)
        self.replays = ReplayService(room, str(room.config.lab_dir / DATABASE))
        room.outbox.wake = self._wake
        room.outbox.queued = self._dispatcher.queued
        room.outbox.freed = self._dispatcher.freed
        room.outbox.abort = sessions.abort
        room.outbox.observers += [room.metrics.observe, self._dispatcher.observe]

    @classmethod
    async def open(cls, config: LabConfig, *, clock: Clock | None = None) -> Lab:
        """Open the lab in ``config.lab_dir``, made if need be, and pick up what an earlier server left.

        Raises
        ------
        Rejected
            the folder is on a network file system.
        Conflict
            a newer version wrote the database.
        """
        config.lab_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        require_local(config.lab_dir)
        metrics = Metrics()
        store = SqliteStore(config.lab_dir / DATABASE, on_commit=metrics.committed)
        room = Room(
            config=config,
            clock=clock if clock is not None else Clock(),
            store=store,
            blobs=Blobs(config.lab_dir / BLOBS),
            outbox=Outbox(),
            metrics=metrics,
        )
        lab = cls(room)
        await room.load_qpus()
        for row in await store.read(bench.all_qpus):
            metrics.load(row.name, row.queued, row.running)
        await lab._reconciler.recover()
        await lab.qpu_sessions.recover()
        for name in room.qpus:
            room.outbox.wake(name)
        lab._retention.start()
        await lab.notices.recover()
        return lab

    async def close(self) -> None:
        """Close every link, finish what was begun and let go of the folder."""
        for session in self._sessions.all():
            session.close("The lab is closing.")
            session.peer.close()
        self._reconciler.close()
        self._dispatcher.close()
        self.qpu_sessions.close_all()
        await self.replays.close()
        self._retention.close()
        self.notices.close()
        await self._room.outbox.tasks.close()
        with contextlib.suppress(QpiError):  # a full disk does not keep the lab from closing
            await self.telemetry.flush()
        await self._room.store.close()

    @property
    def metrics(self) -> CollectorRegistry:
        """The lab's figures, for Prometheus."""
        return self._room.metrics.registry

    async def health(self, principal: Principal | None = None, *, owner: dict[str, Any] | None = None) -> Health:
        """How the lab is; who owns it and which drivers are there only for a signed-in person."""
        try:
            await self._room.store.read(lambda connection: connection.execute(text("SELECT 1")).scalar())
            up = True
        except (QpiError, OSError):
            up = False
        health = Health(
            status="up" if up else "degraded",
            services=Services(database="up" if up else "down", bus="up"),
            version=self._room.config.version,
            wire=WIRE_VERSION,
        )
        if principal is not None:
            health.owner = owner or {}
            health.drivers = [
                {"driver": s.driver, "qpu": s.qpu, "epoch": s.epoch, "places": s.places, "monitor": s.monitor}
                for s in self._sessions.all()
            ]
        return health

    def _greeted(self, qpu: str) -> None:
        self._checker.wake(qpu)
        self._room.outbox.wake(qpu)
        self._room.outbox.tasks.start(self.telemetry.calibrated(qpu), f"calibration of {qpu}")

    def _wake(self, qpu: str) -> None:
        self._dispatcher.wake(qpu)
        self.qpu_sessions.wake(qpu)
