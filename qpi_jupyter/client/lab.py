"""`Lab`: one kept connection to a lab, and `connect`, which finds it."""

from __future__ import annotations

import contextlib
import difflib
import os
import uuid
import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Unpack

import httpx
import msgspec

from qpi_jupyter._version import __version__
from qpi_jupyter.core.errors import Conflict, NotFound, QpiError, Rejected, Unavailable
from qpi_jupyter.wire import WIRE_VERSION
from qpi_jupyter.wire.rest import EventPage, Health, JobModel, JobPage, OriginIn, QpuDetail, SubmitRequest

from . import origin as origins
from . import programs
from .accounts import AccountCalls
from .bookings import BookingCalls
from .discovery import Address, addresses
from .http import RETRY_S, Http
from .job_filters import JobFilters, filter_params
from .jobs import JobHandle
from .portal import Portal, both
from .session import SessionCalls, let_go
from .tables import JobTable, QpuTable

if TYPE_CHECKING:
    from .backend import QpiBackend

_CHECK_S = 3.0
"""How long a lab may take to answer when one looks for it."""
_PAGE = 100
RUN_OPTIONS = (
    "shots", "seed_simulator", "meas_level", "meas_return", "parameter_values", "memory",
)  # fmt: skip
JOB_OPTIONS = ("qpu", "name", "tags", "project", "group", "shared_with", "priority", "retry_safe", "origin")


class Lab(BookingCalls, AccountCalls, SessionCalls):
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
    transport
        what carries the requests instead of the network.
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        why: str = "given",
        ca_file: str | None = None,
        retry_s: float = RETRY_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.why = why
        self.http = Http(url, token, ca_file=ca_file, retry_s=retry_s, transport=transport)
        self.portal = Portal()
        self.held = set()
        self._finalizer = weakref.finalize(self, _close, self.portal, self.http, self.held)

    # -- jobs ----------------------------------------------------------------------------------------------------

    @both
    async def submit(self, circuits: object, /, **options: Any) -> JobHandle:
        """Submit one job of one or several circuits; it is on the lab's disk when this returns.

        Parameters
        ----------
        circuits
            a QuantumCircuit, an OpenQASM 2 or 3 text, or a list of either.
        qpu
            the QPU's name; without it an online simulator that fits is taken.
        shots
            per circuit: one number, or one for each circuit.
        seed_simulator
            makes a simulator's counts repeatable.
        meas_level, meas_return
            2 (bits), 1 (IQ points) or 0 (traces); ``single`` or ``avg``.
        parameter_values
            numbers for the circuit's parameters: a row, a list of rows, or a dict; a list of those for several
            circuits.
        memory
            keep every single shot in the dataset.
        name, tags, project
            for your own order; `jobs` finds them by these.
        group
            whose account pays, instead of your own.
        shared_with
            a group of yours that may see the job.
        priority
            -10 to 10: the higher goes first. Over 0 is for managers.
        retry_safe
            an instrument may repeat this job when it is not known whether it ran.
        origin
            the notebook cell it comes from; found by itself in a kernel.
        **options
            what the QPU's executor understands besides (``lab.qpu(name).manifest.options``).

        Raises
        ------
        ProgramError
            the circuit is wrong; ``line`` and ``column`` say where.
        TypeError
            an option that neither the lab nor the QPU knows.
        QpiError
            what else the lab has against it.
        """
        return await self.send(circuits, options)

    async def send(self, circuits: object, options: dict[str, Any]) -> JobHandle:
        """What `submit` does, on the client's own loop."""
        request = await self._request(circuits, options)
        texts = request.program.sources
        model = await self.http.call(
            "POST",
            "v1/jobs",
            JobModel,
            content=msgspec.json.encode(request),
            # Whatever happens to the answer, asking again finds the same job.
            headers={"Idempotency-Key": uuid.uuid4().hex},
        )
        return JobHandle(self, model, tuple(texts))

    async def _request(self, circuits: object, options: dict[str, Any]) -> SubmitRequest:
        known = {name: options.pop(name) for name in (*RUN_OPTIONS, *JOB_OPTIONS) if name in options}
        qpu = known.get("qpu")
        qpu = getattr(qpu, "name", qpu)
        if options:
            await self._check_extra(options, qpu)
        run = {name: known[name] for name in RUN_OPTIONS if name in known}
        tags = known.get("tags", ())
        return SubmitRequest(
            program=programs.program_of(circuits),
            options=programs.options_of(circuits, **run, extra=options),
            qpu=qpu,
            name=known.get("name") or "",
            tags=[tags] if isinstance(tags, str) else list(tags),
            project=known.get("project") or "",
            group=known.get("group"),
            shared_with=known.get("shared_with"),
            priority=programs.whole("priority", known.get("priority", 0)),
            retry_safe=bool(known.get("retry_safe", False)),
            origin=known.get("origin") or origins.here() or OriginIn(),
        )

    async def _check_extra(self, options: Iterable[str], qpu: str | None) -> None:
        """Refuse what nobody understands before it is sent, with the nearest names that exist."""
        manifest = (await self._qpu(qpu)).manifest if qpu else None
        own = manifest.options if manifest is not None else ()
        unknown = [name for name in options if name not in own]
        if not unknown:
            return
        known = (*RUN_OPTIONS, *JOB_OPTIONS, *own)
        near = difflib.get_close_matches(unknown[0], known, n=3)
        hint = f" Did you mean {' or '.join(near)}?" if near else f" There are: {', '.join(sorted(known))}."
        own_hint = "" if qpu else " A QPU's own options need qpu=..."
        raise TypeError(f"submit() has no option {unknown[0]!r}.{hint}{own_hint}")

    async def get_job(
        self, job_id: str, *, wait_s: float = 0.0, version: int | None = None, retry_s: float | None = None
    ) -> JobModel:
        """The job as the lab has it now; see `JobHandle.wait` and `JobHandle.changed`."""
        params = {}
        if wait_s:
            params["wait_s"] = f"{wait_s:g}"
        if version is not None:
            params["version"] = str(version)
        return await self.http.call("GET", f"v1/jobs/{job_id}", JobModel, params=params, wait_s=wait_s, retry_s=retry_s)

    @both
    async def job(self, job_id: str) -> JobHandle:
        """The job with this id, whoever submitted it: another kernel, or this one before it was restarted."""
        return JobHandle(self, await self.get_job(job_id))

    @both
    async def jobs(self, limit: int = 20, **wanted: Unpack[JobFilters]) -> JobTable:
        """The newest jobs, newest first, as a table of handles: your own, or those that a filter asks for.

        Parameters
        ----------
        name
            a part of the name, in any case.
        tags
            one tag, or several that a job must have all of.
        project, qpu, status
            that a job has; ``status`` is pending, running, completed, failed or cancelled.
        cell
            the id of the notebook cell that submitted them.
        group
            that the jobs are shared with, whoever submitted them.
        owner
            whose jobs; you see those that are shared with a group of yours.
        submitted_after, submitted_before
            times; one without a time zone is local.
        mine
            False: every job that you may see.
        """
        found: list[JobModel] = []
        params, below = filter_params(wanted), list[tuple[str, str]]()
        while len(found) < limit:
            page = await self.http.call(
                "GET", "v1/jobs", JobPage, params=[*params, ("limit", str(min(_PAGE, limit - len(found)))), *below]
            )
            found += page.jobs
            if page.next is None:
                break
            below = [("after", page.next)]
        return JobTable([JobHandle(self, model) for model in found[:limit]])

    # -- QPUs ----------------------------------------------------------------------------------------------------

    @both
    async def qpus(self) -> QpuTable:
        """All QPUs of the lab, as a table."""
        return QpuTable(await self.all_qpus())

    @both
    async def qpu(self, name: str) -> QpuDetail:
        """One QPU with what it can do."""
        return await self._qpu(name)

    async def _qpu(self, name: str) -> QpuDetail:
        return await self.http.call("GET", f"v1/qpus/{name}", QpuDetail)

    def backend(self, name: str) -> QpiBackend:
        """A QPU as a Qiskit backend, for ``transpile`` and the primitives."""
        from .backend import QpiBackend

        return QpiBackend(self, self.qpu(name))

    # -- the connection ------------------------------------------------------------------------------------------

    async def events(self, after: int | None, *, wait_s: float = 0.0) -> EventPage:
        """What happened after a cursor, at the latest after ``wait_s``; without one, the cursor of now."""
        params = {"newest": "true"} if after is None else {"after": str(after), "wait_s": f"{wait_s:g}"}
        return await self.http.call("GET", "v1/events", EventPage, params=params, wait_s=wait_s, retry_s=0.0)

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


def _close(portal: Portal, http: Http, held: set[str]) -> None:
    # Also when the interpreter ends: a kernel that ends properly gives back at once what it holds.
    with contextlib.suppress(RuntimeError):
        portal.run(let_go(http, held))
        portal.run(http.close())
    portal.close()


_current: Lab | None = None


def connect(
    url: str | None = None,
    token: str | None = None,
    *,
    ca_file: str | None = None,
    insecure: bool = False,
    retry_s: float = RETRY_S,
) -> Lab:
    """Find a lab and connect to it.

    It is looked for at ``url``; at ``QPI_LAB_URL`` (with ``QPI_LAB_TOKEN``); at the Jupyter server that started this
    kernel; at any live Jupyter server of yours. Without arguments an open connection is used again.

    Parameters
    ----------
    url
        its address; that of JupyterLab in the browser will do.
    token
        where it is not found with the address.
    ca_file
        certificates to trust instead of the system's (default: ``QPI_LAB_CA_FILE``).
    insecure
        let the token travel over plain http to another machine.
    retry_s
        how long calls wait for a lab that does not answer.

    Raises
    ------
    Unavailable
        there is no lab: the message lists where was looked, and what was there.
    """
    global _current
    if url is None and token is None and _current is not None and not _current.closed:
        return _current
    ca_file = ca_file or os.environ.get("QPI_LAB_CA_FILE")
    tried = []
    for place in addresses(url, token, insecure=insecure):
        if not isinstance(place, Address):
            tried.append(place.why)
            continue
        lab = Lab(place.url, place.token, why=place.why, ca_file=ca_file, retry_s=retry_s)
        try:
            _check(lab)
        except QpiError as error:
            lab.close()
            if place.certain:
                raise
            tried.append(f"{place.why} at {place.url}: {error.message}")
        else:
            _current = lab
            return lab
    raise Unavailable(
        "No lab found. Looked here:\n"
        + "\n".join(f"  - {line}" for line in tried)
        + "\nStart one with `jupyter lab` (this package enables it) or `jupyter qpi`, or say where it is: "
        "qpi_jupyter.connect(url, token).",
        code="no_lab",
    )


def _check(lab: Lab) -> None:
    """Whether a lab answers there, in our own words."""
    try:
        health = lab.portal.run(lab.http.call("GET", "health", Health, retry_s=0.0, answer_s=_CHECK_S))
    except NotFound as error:
        raise Unavailable(
            "a server is there, but no lab: enable it with `jupyter server extension enable qpi_server`",
            code="not_a_lab",
        ) from error
    if health.wire != WIRE_VERSION:
        raise Conflict(
            f"The lab at {lab.url} is version {health.version} and speaks wire version {health.wire}; this is "
            f"qpi-jupyter {__version__}, which speaks {WIRE_VERSION}: install the same version on both sides.",
            code="wire_version",
        )


def job(job_id: str | None = None) -> JobHandle:
    """The job with this id in the lab that `connect` finds; without one, the newest that this notebook cell submitted.

    Raises
    ------
    NotFound
        there is none; this is no notebook cell, or none of your jobs comes from it.
    """
    if job_id is not None:
        if not job_id or "/" in job_id:
            raise Rejected(f"{job_id!r} is no job id.", code="bad_id")
        return connect().job(job_id)
    here = origins.here()
    if here is None or here.cell_id is None:
        raise NotFound("This is no notebook cell that jobs could come from: give a job's id.", code="no_cell")
    found = connect().jobs(1, cell=here.cell_id)
    if not found:
        raise NotFound("No job of yours comes from this notebook cell: give a job's id.", code="unknown_job")
    return found[0]
