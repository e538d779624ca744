"""`Session`: a QPU held for a loop in which every next circuit depends on the last result."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

import msgspec

from qpi_jupyter.core import Conflict, Forbidden, NotFound, QpiError, Rejected, Unavailable
from qpi_jupyter.wire.bookings import SessionIn, SessionModel

from . import times
from .calling import called_like, going_on
from .http import Http, delays, path
from .job_handle import JobHandle
from .jobs import Jobs
from .portal import both
from .tables import Table

_CLOSE_S = 3.0
"""How long an ending kernel waits for the lab; what it does not hear ends by itself."""


class Session:
    """A QPU that is held: ``with lab.session("q1") as s: s.run(circuit)``, or ``async with``.

    A task on the client's own loop renews it. It ends with the ``with`` block, with the kernel, when its budget is
    used up, and when nobody renews it for ``idle_s``.
    """

    def __init__(self, jobs: Jobs, held: set[str], wanted: SessionIn, model: SessionModel | None = None) -> None:
        self.http = jobs.http
        self._jobs, self._held = jobs, held
        self.wanted = wanted
        self.model = model
        self._renewals: Future[None] | None = None
        self._last: JobHandle | None = None
        self._opened_at = 0.0 if model is None else _since(model)

    @property
    def qpu(self) -> str:
        return self.wanted.qpu

    @property
    def open(self) -> bool:
        """Whether the QPU is held, as far as this kernel knows."""
        return self.model is not None and self.model.closed_at is None

    @property
    def held_s(self) -> float:
        """How long the QPU was held: what the lab charges once the session is over; until then, by this clock."""
        if self.model is None:
            return 0.0
        if self.model.held_s is not None and not self.open:
            return self.model.held_s
        return time.monotonic() - self._opened_at

    @property
    def busy_s(self) -> float:
        """How much of that its jobs ran, as the lab last said."""
        return (self.model.busy_s if self.model is not None else None) or 0.0

    # -- its life ------------------------------------------------------------------------------------------------

    @both
    async def start(self) -> Session:
        """Hold the QPU; ``with`` does this. A session that `Lab.sessions` found is gone on with."""
        if self._renewals is not None and not self._renewals.done():
            raise Rejected("This session is open already.", code="session_open")
        if self.model is None or not self.open:
            self._opened_at = time.monotonic()
            self.model = await self.http.call("POST", "v1/sessions", SessionModel, body=self.wanted, once=True)
        else:
            self.model = await self._renewed(self.model.id)
        self._held.add(self.model.id)
        self._renewals = self.http.portal.start(self._renew())
        return self

    @both
    async def close(self) -> Session:
        """Let go of the QPU; what it was held for is in ``held_s`` then."""
        if self._renewals is not None:
            self._renewals.cancel()
        if self.model is not None and self.open:
            await self._finish()
        return self

    async def _renew(self) -> None:
        pauses = delays()
        pause = self.wanted.idle_s / 3
        while self.model is not None and self.open:
            await asyncio.sleep(pause)
            try:
                model = await self._renewed(self.model.id)
            except Unavailable:
                pause = min(next(pauses), self.wanted.idle_s / 3)
            except QpiError:
                await self._finish()
            else:
                pause, pauses = self.wanted.idle_s / 3, delays()
                self.model = model
                if model.closed_at is not None:
                    self._end(model)

    async def _renewed(self, session_id: str) -> SessionModel:
        return await self.http.call("POST", f"v1/sessions/{path(session_id)}/renew", SessionModel, retry_s=0.0)

    async def _finish(self) -> None:
        """Close it in the lab; one that is over there already ends with the lab's reason."""
        assert self.model is not None
        try:
            model = await self.http.call("DELETE", f"v1/sessions/{path(self.model.id)}", SessionModel)
        except (NotFound, Conflict, Forbidden) as error:
            held_s = self.model.held_s if self.model.held_s is not None else time.monotonic() - self._opened_at
            model = msgspec.structs.replace(
                self.model, closed_at=datetime.now(UTC), reason=error.message, held_s=held_s
            )
        self._end(model)

    def _end(self, model: SessionModel) -> None:
        self.model = model
        self._held.discard(model.id)

    def __enter__(self) -> Session:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.close()

    async def __aenter__(self) -> Session:
        return await self.start.aio()

    async def __aexit__(self, *exc: object) -> None:
        await self.close.aio()

    # -- its jobs ------------------------------------------------------------------------------------------------

    @both
    @called_like(Jobs.submit, "qpu")
    async def submit(self, /, circuits: object, **options: Any) -> JobHandle:
        """Submit to the held QPU."""
        self._check()
        payer = {} if self.wanted.group is None else {"group": self.wanted.group}
        self._last = await self._jobs.submit.aio(circuits, **{**payer, **options, "qpu": self.qpu})
        return self._last

    @both
    @called_like(Jobs.submit, "qpu")
    async def run(self, /, circuits: object, **options: Any) -> JobHandle:
        """Submit, wait, and give the finished job: ``s.run(circuit).counts()``.

        A job that failed or was cancelled raises its error here.
        """
        job = await self.submit.aio(circuits, **options)
        await job.wait.aio()
        if (error := job.error) is not None:
            raise error
        return job

    def _going_on(self, call: str) -> str:
        """What an interrupted ``call`` leaves behind."""
        return going_on(self._last, call) if call == "run" else ""

    def _check(self) -> None:
        if self.open:
            return
        why = f" ({self.model.reason.rstrip('.')})" if self.model is not None and self.model.reason else ""
        raise Conflict(
            f"The session is not open{why}: with lab.session({self.qpu!r}) as s: opens one.", code="session_over"
        )

    def __repr__(self) -> str:
        state = "not started" if self.model is None else ("open" if self.open else "over")
        reason = f" ({self.model.reason})" if self.model is not None and self.model.reason else ""
        return (
            f"<Session on {self.qpu}: {state}{reason}, held {times.length(self.held_s)}, "
            f"busy {times.length(self.busy_s)}>"
        )

    def _repr_html_(self) -> str:
        return SessionTable([self])._repr_html_()


def _since(model: SessionModel) -> float:
    """When it was opened, on this process's own clock."""
    return time.monotonic() - max(0.0, (datetime.now(UTC) - model.opened_at).total_seconds())


class SessionTable(Table[Session]):
    """Sessions, newest first; each item is the session itself: ``table[0].close()``."""

    caption = "Sessions"
    empty = "No open sessions."
    columns = ("id", "qpu", "holder", "status", "opened", "ends", "held")

    def row(self, item: Session) -> tuple[str, ...]:
        model, zone, now = item.model, times.zone_of(), datetime.now(UTC)
        if model is None:
            return ("", item.qpu, "", "not started", "", "", "")
        ends = model.expires_at if model.closed_at is None else model.closed_at
        return (
            model.id, model.qpu, model.holder or "somebody", "open" if item.open else f"ended: {model.reason}",
            times.clock(model.opened_at, zone, now), times.clock(ends, zone, now), times.length(item.held_s),
        )  # fmt: skip


async def let_go(http: Http, held: set[str]) -> None:
    """Close what is still held, once and briefly."""
    closing = [
        http.call("DELETE", f"v1/sessions/{path(session_id)}", SessionModel, retry_s=0.0, answer_s=_CLOSE_S)
        for session_id in held
    ]
    held.clear()
    await asyncio.gather(*closing, return_exceptions=True)
