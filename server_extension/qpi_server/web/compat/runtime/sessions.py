"""Sessions and batches: the lab's own session on the QPU, whose id here also says the mode and the backend asked for.

On fake backends, which are simulated with room for everybody, a session is free: it holds nothing, costs nothing but
its jobs, and is written down nowhere but in its own id.
"""

from __future__ import annotations

import hashlib
import math
import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, NamedTuple
from weakref import WeakKeyDictionary

from msgspec import Meta

from qpi_jupyter.core import Conflict, NotFound, Rejected
from qpi_jupyter.core import Permission as P
from qpi_jupyter.wire.bookings import SessionIn, SessionModel
from qpi_jupyter.wire.jobs import JobModel
from qpi_jupyter.wire.rest import Answer
from qpi_server.service.lab import Lab
from qpi_server.web.table import Call

from .backends import found
from .base import ROOT, Body, runtime, stamp
from .own import asked_for, own_jobs

MOST_S = 28_800
"""How long one lasts where nothing is said (s)."""
_ID = re.compile(r"free-([0-9]{1,11})-([0-9]{1,6})-([0-9a-f]{16})-([0-9a-f]{16})")
_KEPT = 10_000
_ends: WeakKeyDictionary[Lab, dict[str, datetime]] = WeakKeyDictionary()
"""When sessions of each lab were closed, the latest of them. One that a restart forgets is open until its time is over,
which harms nobody."""


def _is_free(session_id: str) -> bool:
    """Whether an id is one of a session that holds nothing."""
    return session_id.startswith("free-")


def _open_free(call: Call, max_ttl: float | None) -> SessionModel:
    """A new one, which lasts ``max_ttl`` (s)."""
    begins, lasts, nonce = int(call.lab.context.now().timestamp()), int(max_ttl or MOST_S) or 1, secrets.token_hex(8)
    return _free_session(call, f"free-{begins}-{lasts}-{nonce}-{_sign(call, begins, lasts, nonce)}", begins, lasts)


def _find_free(call: Call, session_id: str) -> SessionModel | None:
    """The one of that id; None of an id that was never given to who asks."""
    parts = _ID.fullmatch(session_id)
    if parts is None or parts[4] != _sign(call, int(parts[1]), int(parts[2]), parts[3]):
        return None
    return _free_session(call, session_id, int(parts[1]), int(parts[2]))


def _close_free(call: Call, session: SessionModel) -> SessionModel:
    """The same, closed from now on."""
    ends = _ends.setdefault(call.lab, {})
    ends.setdefault(session.id, call.lab.context.now())
    while len(ends) > _KEPT:
        del ends[next(iter(ends))]
    return _find_free(call, session.id) or session


def _sign(call: Call, begins: int, lasts: int, nonce: str) -> str:
    """Ties an id to its person. Whoever makes one up only fools themselves: it opens nothing."""
    return hashlib.sha256(f"{call.person.name} {begins} {lasts} {nonce}".encode()).hexdigest()[:16]


def _free_session(call: Call, session_id: str, begins: int, lasts: int) -> SessionModel:
    opened_at = datetime.fromtimestamp(begins, UTC)
    expires_at, now = opened_at + timedelta(seconds=lasts), call.lab.context.now()
    closed_at = _ends.get(call.lab, {}).get(session_id) or (expires_at if now >= expires_at else None)
    return SessionModel(
        id=session_id, qpu="", holder=call.person.name, opened_at=opened_at, expires_at=expires_at, closed_at=closed_at,
        reason="" if closed_at is None else "Its time is over." if closed_at == expires_at else "You closed it.",
        budget_s=float(lasts), idle_s=float(lasts), mine=True,
    )  # fmt: skip


DEFAULT_TTL_S, IDLE_S = 600.0, 300.0
"""What is set aside of the QPU time where nothing is said, and how long a session may be idle (s)."""
_RENEW_S = 60.0
Mode = Literal["dedicated", "batch"]
MODES = ("dedicated", "batch")


class RuntimeSessionIn(Body):
    """``POST sessions``; ``max_ttl`` is how long it may last at most (s)."""

    backend: Annotated[str, Meta(max_length=200)] = ""
    mode: Mode = "dedicated"
    max_ttl: Annotated[float, Meta(gt=0, le=86_400)] | None = None


class RuntimeSessionChange(Body):
    """``PATCH sessions/{id}``: only its end can be asked for."""

    accepting_jobs: bool = False


class SessionTimestamp(Answer):
    """When a session came into a state."""

    status: str
    timestamp: str | None


class RuntimeSession(Answer):
    """A session: it is active while it holds the QPU, and closed afterwards."""

    id: str
    backend_name: str
    mode: str
    state: str
    accepting_jobs: bool
    max_ttl: int
    interactive_ttl: int
    active_ttl: int
    started_at: str | None
    activated_at: str | None
    closed_at: str | None
    last_job_started: str | None
    last_job_completed: str | None
    elapsed_time: float
    usage_time: float
    timestamps: list[SessionTimestamp]


class _Asked(NamedTuple):
    """An id here, taken apart."""

    session: SessionModel
    mode: str
    backend: str

    @property
    def id(self) -> str:
        return f"{self.session.id}.{self.mode}.{self.backend}"


@runtime.route("POST", f"{ROOT}/sessions", P.SESSIONS_OPEN, {201: RuntimeSession}, body=RuntimeSessionIn)
async def runtime_open_session(call: Call, wanted: RuntimeSessionIn) -> RuntimeSession:
    """Hold the QPU of a backend; fake backends, which have room for everybody, are held for nobody."""
    backend, qpu = await found(call, wanted.backend)
    if backend != qpu.name:
        session = _open_free(call, wanted.max_ttl)
    else:
        request = SessionIn(qpu=qpu.name, budget_s=wanted.max_ttl or DEFAULT_TTL_S, idle_s=IDLE_S)
        try:
            session = await call.lab.qpu_sessions.open(call.person, request)
        except Conflict as error:
            session = await _unanswered(call, request, error)
    return await _shown(call, _Asked(session, wanted.mode, backend))


@runtime.route("GET", f"{ROOT}/sessions/{{id}}", P.JOBS_READ, {200: RuntimeSession})
async def runtime_session(call: Call) -> RuntimeSession:
    """A session of one's own."""
    return await _shown(call, await _find(call, call.path["id"]))


@runtime.route("PATCH", f"{ROOT}/sessions/{{id}}", P.SESSIONS_OPEN, {200: RuntimeSession}, body=RuntimeSessionChange)
async def runtime_change_session(call: Call, wanted: RuntimeSessionChange) -> RuntimeSession:
    """Let go of the QPU; the session's jobs still run, in the lab's queue."""
    asked = await _find(call, call.path["id"])
    if wanted.accepting_jobs and asked.session.closed_at is not None:
        raise Rejected("The session is closed: open a new one.", code="session_over")
    if not wanted.accepting_jobs:
        asked = asked._replace(session=await _closed(call, asked))
    return await _shown(call, asked)


@runtime.route("DELETE", f"{ROOT}/sessions/{{id}}/close", P.SESSIONS_OPEN, {204: ""})
async def runtime_cancel_session(call: Call) -> None:
    """Let go of the QPU, and cancel the session's jobs."""
    asked = await _find(call, call.path["id"])
    for job in await _jobs(call, asked):
        if job.ended_at is None:
            await call.lab.jobs.cancel(call.person, job.id)
    await _closed(call, asked)


async def enter(call: Call, session_id: str, backend: str) -> None:
    """Whether a job may go into a session, which stays open for it.

    Raises
    ------
    NotFound
        there is no such session of one's own.
    Rejected
        it is closed, or on another backend.
    """
    asked = await _find(call, session_id)
    if asked.session.closed_at is not None:
        raise Rejected(f"The session is closed: {asked.session.reason} Open a new one.", code="session_over")
    if asked.backend != backend:
        message = f"The session is on {asked.backend}, and the job is for {backend}."
        raise Rejected(message, code="other_backend")
    left_s = (asked.session.expires_at - call.lab.context.now()).total_seconds()
    if not _is_free(asked.session.id) and left_s < IDLE_S - _RENEW_S:
        await call.lab.qpu_sessions.renew(call.person, asked.session.id)


async def _unanswered(call: Call, wanted: SessionIn, refusal: Conflict) -> SessionModel:
    """The session that the same request has opened, where its answer was lost and IBM's client asks again.

    Raises
    ------
    Conflict
        the refusal: the QPU is not to be had, or is held by a session for something else or one in use.
    """
    sessions = (await call.lab.qpu_sessions.list(call.person)).sessions
    open_one = next((one for one in sessions if one.id == refusal.data.get("session_id")), None)
    if open_one is None or (open_one.budget_s, open_one.idle_s) != (wanted.budget_s, wanted.idle_s):
        raise refusal
    used = await call.lab.jobs.list(
        call.person, owner=call.person.name, qpu=open_one.qpu, submitted_after=open_one.opened_at, limit=1
    )
    if used.jobs:
        raise refusal
    return await call.lab.qpu_sessions.renew(call.person, open_one.id)


async def _find(call: Call, session_id: str) -> _Asked:
    own, _, rest = session_id.replace("%40", "@").partition(".")
    mode, _, backend = rest.partition(".")
    if _is_free(own):
        session = _find_free(call, own)
    else:
        sessions = (await call.lab.qpu_sessions.list(call.person)).sessions
        session = next((one for one in sessions if one.id == own and one.mine), None)
    if session is None or mode not in MODES or not backend:
        raise NotFound("Session not found: it is not one of yours, or it was a while ago.", code="unknown_session")
    return _Asked(session, mode, backend)


async def _closed(call: Call, asked: _Asked) -> SessionModel:
    if _is_free(asked.session.id):
        return _close_free(call, asked.session)
    return await call.lab.qpu_sessions.close(call.person, asked.session.id)


async def _jobs(call: Call, asked: _Asked) -> list[JobModel]:
    return await own_jobs(
        call,
        lambda job: asked_for(job).session_id == asked.id,
        submitted_after=asked.session.opened_at,
        qpu=asked.session.qpu or None,
    )


async def _shown(call: Call, asked: _Asked) -> RuntimeSession:
    session, jobs = asked.session, await _jobs(call, asked)
    over = session.closed_at is not None
    ends = session.closed_at or call.lab.context.now()
    held_s = session.held_s if session.held_s is not None else (ends - session.opened_at).total_seconds()
    if _is_free(session.id):
        held_s = sum(job.busy_s or 0.0 for job in jobs)
    states = [("open", session.opened_at), ("active", session.opened_at), ("closed", session.closed_at)]
    return RuntimeSession(
        id=asked.id, backend_name=asked.backend, mode=asked.mode, state="closed" if over else "active",
        accepting_jobs=not over, max_ttl=math.ceil(session.budget_s), interactive_ttl=math.ceil(session.idle_s),
        active_ttl=math.ceil(session.budget_s),
        started_at=stamp(session.opened_at), activated_at=stamp(session.opened_at), closed_at=stamp(session.closed_at),
        last_job_started=_last(job.started_at for job in jobs), last_job_completed=_last(job.ended_at for job in jobs),
        elapsed_time=held_s, usage_time=held_s,
        timestamps=[SessionTimestamp(status=state, timestamp=stamp(at)) for state, at in states if at is not None],
    )  # fmt: skip


def _last(times: Iterable[datetime | None]) -> str | None:
    return stamp(max((at for at in times if at is not None), default=None))
