"""The composition root: puts the use cases together and runs them."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from qpi_jupyter.core import Principal, QpiError
from qpi_jupyter.wire import WIRE_VERSION
from qpi_jupyter.wire.rest import Health, JobError, Services
from qpi_server.service.accounts import AccountService, TimeRequestService
from qpi_server.service.base import (
    Clock,
    Commits,
    Context,
    Database,
    Followers,
    LabConfig,
    Metrics,
    Qpus,
    Rates,
    Tasks,
    Turns,
    Underway,
    Wake,
    build_types,
)
from qpi_server.service.bench import (
    BenchService,
    EmbeddedService,
    EnrollmentService,
    ExecutorService,
    QpuService,
    Registration,
    ServiceCatalogue,
)
from qpi_server.service.bookings import BookingRules, BookingService, FeedService
from qpi_server.service.dispatch import Dispatcher
from qpi_server.service.drivers import Buses, DriverService, Reconciler
from qpi_server.service.events import EventService
from qpi_server.service.jobs import AnalysisService, JobService, Retention, TranscriptService
from qpi_server.service.lifecycle import Lifecycle
from qpi_server.service.links import Links
from qpi_server.service.people import (
    AuditService,
    Authenticator,
    Devices,
    FirstAdmin,
    Groups,
    JoinLinks,
    NoticeService,
    OAuth2SignIns,
    Passwords,
    SignIns,
    TokenService,
    Users,
)
from qpi_server.service.plans import PlanRuns, PlanService
from qpi_server.service.sessions import QpuSessionService
from qpi_server.service.storage import Storage
from qpi_server.service.submit import Checker, PreviewService, Submitter, Tracks, Unchecked
from qpi_server.service.telemetry import CalibrationService, DriverLogs, TelemetryService
from qpi_server.store import (
    BLOBS,
    Blobs,
    Store,
    backend_of,
    bookings,
    can_begin_anew,
    facts,
    move_aside,
    open_store,
    require_blobs,
    usage,
)
from qpi_server.store.load import loads

from .replays import ReplayService

log = logging.getLogger(__name__)
WAITS_EACH, WAITS_IN_ALL = 500, 50_000
"""Long-polls that one person, and that everybody together, may hold open."""
STRANGERS_PER_S, STRANGERS_AT_ONCE = 100.0, 1_000
"""Requests of one address that come without a sign-in."""
ANSWER_S = 3.0
"""How long a lab that closes goes on answering what it was asked before."""


PAST_RUNS = 2_000
PAST_BOOKINGS = 1_000
"""Jobs whose waits teach what predictions are worth, at the start."""


class Lab:
    """One lab: its queue, its QPUs, its people. Made by `open`, ended by `close`.

    Exactly one process has a lab folder open; whoever calls `open` holds the folder's lock.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        lifecycle = Lifecycle(context)
        self.links = links = Links(context)
        self._dispatcher = Dispatcher(context, links, lifecycle)
        self.telemetry, self.driver_logs = TelemetryService(context, links), DriverLogs(context)
        self.calibrations = CalibrationService(context)
        self._reconciler = Reconciler(context, links, lifecycle)
        self.drivers = DriverService(
            context,
            links,
            lifecycle,
            self._reconciler,
            self._dispatcher,
            self.telemetry,
            self.calibrations,
            self.driver_logs,
        )
        checker = Checker(context, links)
        self._unchecked = Unchecked(context, links, lifecycle, checker)
        self._tracks = Tracks(context.commits)
        self.jobs = JobService(
            context, links, lifecycle, Submitter(context, links, checker, self._tracks), self._tracks,
            unchecked=self._unchecked.why,
        )  # fmt: skip
        self.transcripts, self.analyses = TranscriptService(context, self.jobs), AnalysisService(context, self.jobs)
        self.events = EventService(context)
        self.qpus = QpuService(context, links)
        self.services, self.enrollment = ServiceCatalogue(context, links), EnrollmentService(context, links)
        self.qpu_sessions = QpuSessionService(context, links)
        self.accounts = AccountService(context)
        self.previews = PreviewService(context, checker, self.accounts)
        self.time_requests = TimeRequestService(context)
        self.authenticator, passwords = Authenticator(context), Passwords(context)
        self.buses = Buses(context, self.drivers, self.authenticator.driver)
        self.tokens = TokenService(context)
        self.users = Users(context, passwords)
        self.groups = Groups(context)
        self.sign_ins = SignIns(context, passwords, self.tokens)
        self.first_admin = FirstAdmin(context, passwords, self.sign_ins)
        self.join_links = JoinLinks(context, passwords, self.sign_ins)
        self.oauth2 = OAuth2SignIns(context, self.authenticator, self.tokens)
        self.devices = Devices(context, self.authenticator, self.tokens)
        self.notices = NoticeService(context)
        self.audit = AuditService(context)
        self._retention = Retention(context)
        # What a damaged database does not know of is not freed.
        self.storage = Storage(context, recovered=self._wake_all, whole=self._retention.start)
        self.booking_rules = BookingRules(context)
        self.bookings = BookingService(context, self.booking_rules)
        self.feeds = FeedService(context)
        self.registration = Registration(context)
        self.executors = ExecutorService()
        self.embedded = EmbeddedService(context, links, self.registration, self.executors)
        self.bench = BenchService(context, links, self.registration, self.embedded, self.qpus)
        self.waits = Turns("waiting for news", places=WAITS_IN_ALL, each=WAITS_EACH, waiting=0)
        self.underway = Underway()
        self.strangers = Rates(context.clock, per_s=STRANGERS_PER_S, burst=STRANGERS_AT_ONCE)
        self.replays = ReplayService(context)
        self.plans = PlanService(context, links)
        self.plan_runs = PlanRuns(context, links, checker, self.plans)
        self.open_tasks = context.config.open_tasks

    @classmethod
    async def open(cls, config: LabConfig, *, clock: Clock | None = None) -> Lab:
        """Open the lab in ``config.lab_dir``, made if need be, and pick up what an earlier server left.

        Raises
        ------
        Conflict
            the folder is on a network file system, or a newer version wrote the database.
        Unavailable
            the database is missing, damaged, locked or cannot be reached, or the disk fails.
        Rejected
            ``config.db_url`` is not the address of a database.
        QpiError
            the lab cannot be on one of ``config.buses``.
        """
        build_types()
        backend_of(config.db_url, config.lab_dir).prepare()
        metrics = Metrics()
        store = _open_store(config, metrics)
        try:
            return await cls._open(config, clock, store, metrics)
        except BaseException:
            await store.close()
            raise

    @classmethod
    async def _open(cls, config: LabConfig, clock: Clock | None, store: Store, metrics: Metrics) -> Lab:
        await store.read(lambda connection: require_blobs(connection, config.lab_dir))
        clock, commits = clock if clock is not None else Clock(), Commits()
        context = Context(
            config=config,
            clock=clock,
            db=Database(store, clock, commits, search_budget_s=config.search_budget_s),
            blobs=Blobs(config.lab_dir / BLOBS),
            commits=commits,
            followers=Followers(commits, await store.read(facts.newest_event)),
            qpus=Qpus(store, commits),
            tasks=Tasks(),
            metrics=metrics,
        )
        lab = cls(context)
        await context.qpus.load()
        for name, load in (await store.read(loads)).items():
            metrics.load(name, load)
        lab._tracks.load(
            await store.read(lambda connection: usage.past_runs(connection, PAST_RUNS)),
            await store.read(lambda connection: bookings.settled(connection, PAST_BOOKINGS)),
        )
        await lab._reconciler.recover()
        try:
            await lab.buses.open()
        except BaseException:
            lab._reconciler.close()
            raise
        await lab.qpu_sessions.recover()
        await lab.notices.recover()
        await lab.plan_runs.recover()
        lab._wake_all()
        await lab.storage.start()
        return lab

    @property
    def searches(self) -> Turns:
        """The turns of what looks at many rows."""
        return self.context.db.searches

    async def close(self) -> None:
        """Answer what was asked, close every link, finish what was begun and let go of the folder."""
        await self.underway.over(ANSWER_S)
        self.events.close()
        for link in self.links.all():
            await link.end("The lab is closing.")
        await self.buses.close()
        self._reconciler.close()
        self._dispatcher.close()
        self._unchecked.close()
        self.qpu_sessions.close_all()
        await self.replays.close()
        await self.plans.close()
        await self.plan_runs.close()
        self.notices.close()
        await self.context.tasks.close()
        self._retention.close()
        with contextlib.suppress(QpiError):  # a full disk does not keep the lab from closing
            await self.telemetry.flush()
        await self.context.db.store.close()

    @property
    def metrics(self) -> CollectorRegistry:
        """The lab's figures, for Prometheus."""
        return self.context.metrics.registry

    async def health(self, principal: Principal | None = None, *, owner: dict[str, Any] | None = None) -> Health:
        """How the lab is; who owns it and which drivers are there only for a signed-in person."""
        trouble = await self.storage.trouble()
        try:
            await self.context.db.store.read(lambda connection: connection.execute(text("SELECT 1")).scalar())
        except QpiError as error:
            trouble = error
        health = Health(
            status="up" if trouble is None else "degraded",
            services=Services(
                database="up" if trouble is None else "down", bus="up" if await self.buses.up() else "down"
            ),
            version=self.context.config.version,
            wire=WIRE_VERSION,
        )
        if trouble is not None:
            health.error = msgspec.convert(trouble.to_dict(), JobError)
        if principal is not None:
            health.owner = owner or {}
            health.drivers = [
                {"driver": s.driver, "qpu": s.qpu, "epoch": s.epoch, "places": s.places, "monitor": s.monitor}
                for s in self.links.all()
            ]
        return health

    def _wake_all(self) -> None:
        self.context.commits.tell([Wake(name) for name in self.context.qpus.names])


def _open_store(config: LabConfig, metrics: Metrics) -> Store:
    """The lab's store; where its folder holds no whole lab and a new one is wanted, the rest moves aside."""
    try:
        return open_store(config.db_url, config.lab_dir, metrics.committed)
    except QpiError as error:
        if not (config.begin_anew and can_begin_anew(error)):
            raise
        files = backend_of(config.db_url, config.lab_dir).files
        aside = move_aside(config.lab_dir, [*files, BLOBS], "before-new-lab")
        log.warning("%s Begun anew; what was there is in %s.", error.message, aside)
        return open_store(config.db_url, config.lab_dir, metrics.committed)
