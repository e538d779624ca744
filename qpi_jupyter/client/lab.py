"""`Lab`: one kept connection to a lab."""

from __future__ import annotations

import contextlib
import copy
import os
import weakref
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from qpi_jupyter.core import QpiError
from qpi_jupyter.wire.bookings import SessionIn, SessionList
from qpi_jupyter.wire.events import EventPage, UnreadEventPage
from qpi_jupyter.wire.rest import Health

from . import times
from .accounts import Accounts
from .bookings import Bookings
from .feeds import Feeds
from .http import RETRY_S, Http
from .jobs import Jobs
from .people import People, Tokens
from .plans import Plans
from .portal import both
from .qpus import Qpus
from .services import Offers
from .session import Session, SessionTable, let_go

if TYPE_CHECKING:
    from .backend import BackendTable, QpiBackend


_SHOWN_S = 2.0
"""How long a lab may take to answer when it is only shown."""


class Widgets(Protocol):
    """Makes the widgets of a lab."""

    def calendar(self, lab: Any, qpu: str | None) -> Any:
        """The calendar, of one QPU or of all."""

    def submit_form(self, lab: Any, circuits: object, **filled: object) -> Any:
        """A form that submits a job."""

    def telemetry_widget(self, lab: Any, qpu: str, channels: Sequence[str]) -> Any:
        """The readings of a QPU."""


class Lab:
    """A lab, reached over one kept connection; use it from any cell, thread or event loop.

    Parameters
    ----------
    url
        where JupyterLab or ``jupyter qpi`` answers.
    token
        of the Jupyter server, of the Hub, or of the lab itself (``qpi_...``).
    why
        how this lab was found, for its repr.
    ca_file
        certificates to trust instead of the system's.
    retry_s
        how long calls wait for a lab that does not answer.
    """

    widgets: ClassVar[Widgets | None] = None
    """What makes widgets; the ui room is put in here, so that the client needs none."""

    submit = Jobs.submit.of("_jobs")
    preview = Jobs.preview.of("_jobs")
    plan = Plans.plan.of("_plans")
    sweep = Jobs.sweep.of("_jobs")
    job = Jobs.job.of("_jobs")
    jobs = Jobs.jobs.of("_jobs")
    qpu = Qpus.qpu.of("_qpus")
    qpus = Qpus.qpus.of("_qpus")
    services = Offers.services.of("_offers")
    enroll = Offers.enroll.of("_offers")
    enrollments = Offers.enrollments.of("_offers")
    book = Bookings.book.of("_bookings")
    booking = Bookings.booking.of("_bookings")
    bookings = Bookings.bookings.of("_bookings")
    next_free = Bookings.next_free.of("_bookings")
    import_bookings = Bookings.import_bookings.of("_bookings")
    balance = Accounts.balance.of("_accounts")
    statement = Accounts.statement.of("_accounts")
    grant_time = Accounts.grant_time.of("_accounts")
    request_time = Accounts.request_time.of("_accounts")
    time_requests = Accounts.time_requests.of("_accounts")
    whoami = People.whoami.of("_people")
    notices = People.notices.of("_people")

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        why: str = "given",
        ca_file: str | os.PathLike[str] | None = None,
        retry_s: float = RETRY_S,
    ) -> None:
        self.why = why
        self.http = Http(url, token, ca_file=ca_file, retry_s=retry_s)
        self.url = self.http.url
        self._jobs, self._qpus, self._bookings = Jobs(self.http), Qpus(self.http), Bookings(self.http)
        self._accounts, self._people, self._plans = Accounts(self.http), People(self.http), Plans(self.http)
        self._offers = Offers(self.http)
        self._held = set[str]()
        # A job or session that somebody keeps needs the connection, too: it is closed when nobody has `http` any more.
        self._finalizer = weakref.finalize(self.http, _close, copy.copy(self.http), self._held)

    @property
    def feeds(self) -> Feeds:
        """Your calendar feeds, for other calendar programs."""
        return Feeds(self.http)

    @property
    def tokens(self) -> Tokens:
        """Your API tokens."""
        return self._people.tokens

    def backend(self, name: str) -> QpiBackend:
        """A QPU as a Qiskit backend, for ``transpile`` and the primitives."""
        from .backend import QpiBackend

        return QpiBackend(self._jobs, self.qpu(name))

    def backends(
        self,
        name: str | None = None,
        *,
        min_num_qubits: int | None = None,
        simulator: bool | None = None,
        operational: bool | None = None,
        filters: Callable[[QpiBackend], object] | None = None,
    ) -> BackendTable:
        """The lab's QPUs as Qiskit backends, as a table; one whose driver never came is left out.

        Parameters
        ----------
        name
            only this one.
        min_num_qubits
            only those with so many qubits.
        simulator, operational
            True or False: only those that are simulators, or online; or that are not.
        filters
            only those of which this is true: ``lambda backend: backend.num_qubits > 4``.
        """
        from .backend import BackendTable, QpiBackend

        wanted = [
            qpu
            for qpu in self.qpus()
            if (name is None or qpu.name == name)
            and (min_num_qubits is None or qpu.num_qubits >= min_num_qubits)
            and (simulator is None or qpu.simulator is simulator)
            and (operational is None or (qpu.status == "online") is operational)
        ]
        details = [detail for detail in (self.qpu(qpu.name) for qpu in wanted) if detail.manifest is not None]
        found = [QpiBackend(self._jobs, detail) for detail in details]
        return BackendTable([backend for backend in found if filters is None or filters(backend)])

    def calendar(self, qpu: str | None = None) -> Any:
        """The calendar, to look at and to book in: a widget. Without a name, of all QPUs.

        Its ``value`` is the time that was drawn or opened last: a QPU, a start and an end.
        """
        return self._widgets().calendar(self, qpu and self.qpu(qpu).name)

    def submit_form(
        self,
        circuits: object = None,
        /,
        *,
        qpu: str | None = None,
        shots: int | None = None,
        name: str | None = None,
        parameter_values: object = None,
    ) -> Any:
        """A form that submits a job: a widget, whose ``job`` is the job that was submitted last.

        Parameters
        ----------
        circuits
            what to submit, as in `submit`; an OpenQASM text, or nothing, can be edited in the form.
        qpu, shots, name, parameter_values
            what stands in the form at first.
        """
        filled = {"qpu": qpu, "shots": shots, "name": name, "parameter_values": parameter_values}
        return self._widgets().submit_form(self, circuits, **filled)

    def telemetry_widget(self, qpu: str, channels: Sequence[str] = ()) -> Any:
        """What a QPU and its drivers measure, live: a widget, whose ``value`` is the latest reading of each channel.

        Parameters
        ----------
        channels
            those to show at first, by name; channels of the calibration are shown only where they are named here.
        """
        return self._widgets().telemetry_widget(self, self.qpu(qpu).name, channels)

    def _widgets(self) -> Widgets:
        if self.widgets is None:
            raise QpiError("A widget is shown in a notebook: use qpi_jupyter.connect().", code="no_widgets")
        return self.widgets

    # -- held QPUs -----------------------------------------------------------------------------------------------

    def session(
        self, qpu: str, *, budget: times.Length = 600.0, idle: times.Length = 30.0, group: str | None = None
    ) -> Session:
        """Hold a QPU while a ``with`` block runs, so that no job of yours waits behind another person's.

        Parameters
        ----------
        budget
            QPU time set aside outside of your own booking: ``"10m"``, a timedelta or seconds. What the QPU was held
            is charged; in your own booking it costs nothing more.
        idle
            the lab ends the session when this kernel is silent for so long.
        group
            whose account pays, instead of your own.
        """
        wanted = SessionIn(qpu=qpu, budget_s=times.seconds(budget), idle_s=times.seconds(idle), group=group)
        return Session(self._jobs, self._held, wanted)

    @both
    async def sessions(self, *, mine: bool = True, ended: bool = False) -> SessionTable:
        """The QPUs that you hold, also those whose handle is lost: ``lab.sessions()[0].close()`` gives one back.

        Parameters
        ----------
        mine
            False: everybody's, as far as the lab tells.
        ended
            also those that are over.
        """
        found = (await self.http.call("GET", "v1/sessions", SessionList)).sessions
        return SessionTable(
            [
                Session(
                    self._jobs,
                    self._held,
                    SessionIn(qpu=model.qpu, budget_s=model.budget_s, idle_s=model.idle_s),
                    model,
                )
                for model in found
                if (model.mine or not mine) and (ended or model.closed_at is None)
            ]
        )

    # -- the connection ------------------------------------------------------------------------------------------

    @both
    async def events(self, after: int | None = None, *, wait_s: float = 0.0) -> EventPage:
        """What happened after a cursor: ``events`` and the next ``cursor``. Without one, only the cursor of now.

        Parameters
        ----------
        wait_s
            how long to wait for the next event where there is none yet; the lab answers after 60 s at the latest.
        """
        params = {"newest": "true"} if after is None else {"after": str(after), "wait_s": f"{wait_s:g}"}
        page = await self.http.call("GET", "v1/events", UnreadEventPage, params=params, wait_s=wait_s, retry_s=0.0)
        return page.read()

    @both
    async def health(self, *, retry_s: float | None = None) -> Health:
        """Whether the lab is well, and which version it is."""
        return await self.http.call("GET", "health", Health, retry_s=retry_s)

    def close(self) -> None:
        """Close the connection; jobs go on in the lab."""
        self._finalizer()

    @property
    def closed(self) -> bool:
        return not self._finalizer.alive

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Lab {self.url} ({'closed' if self.closed else self.why})>"

    def _repr_html_(self) -> str:
        head = f"<p><strong>Quantum lab</strong> <code>{escape(self.url)}</code> ({escape(self.why)})</p>"
        if self.closed:
            return f"{head}<p>This connection is closed: qpi_jupyter.connect() opens another.</p>"
        try:
            return head + self.http.portal.start(self.qpus.aio()).result(timeout=_SHOWN_S)._repr_html_()
        except (QpiError, RuntimeError, TimeoutError):
            return f"{head}<p>It does not answer now.</p>"


def _close(http: Http, held: set[str]) -> None:
    # Also when the interpreter ends: a kernel that ends properly gives back at once what it holds.
    with contextlib.suppress(RuntimeError):
        http.portal.run(let_go(http, held))
        http.portal.run(http.close())
    http.portal.close()
