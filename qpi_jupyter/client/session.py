"""`Session`: a QPU held for a loop in which every next circuit depends on the last result."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from qpi_jupyter.core.errors import Conflict, Forbidden, NotFound, QpiError, Rejected, Unavailable
from qpi_jupyter.wire.bookings import SessionIn, SessionModel

from . import times
from .calls import Calls
from .http import Http, delays
from .portal import Portal, both

if TYPE_CHECKING:
    from .jobs import JobHandle

_CLOSE_S = 3.0
"""How long an ending kernel waits for the lab; what it does not hear ends by itself."""


class Session:
    """A QPU that is held: ``with lab.session("q1") as s: s.run(circuit)``, or ``async with``.

    A task on the client's own loop renews it. It ends with the ``with`` block, with the kernel, when its budget is
    used up, and when nobody renews it for ``idle_s``.
    """

    def __init__(self, lab: SessionCalls, wanted: SessionIn) -> None:
        self.lab = lab
        self.wanted = wanted
        self.model: SessionModel | None = None
        self._renewals: Future[None] | None = None
        self._opened_at = 0.0

    @property
    def portal(self) -> Portal:
        return self.lab.portal

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
        """Hold the QPU; ``with`` does this."""
        if self.open:
            raise Rejected("This session is open already.", code="session_open")
        self._opened_at = time.monotonic()
        self.model = await self.lab.http.call(
            "POST", "v1/sessions", SessionModel, content=msgspec.json.encode(self.wanted), once=True
        )
        self.lab.held.add(self.model.id)
        self._renewals = self.portal.start(self._renew())
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
                model = await self.lab.http.call(
                    "POST", f"v1/sessions/{self.model.id}/renew", SessionModel, content=b"", retry_s=0.0
                )
            except Unavailable:
                pause = min(next(pauses), self.wanted.idle_s / 3)
            except QpiError:
                await self._finish()
            else:
                pause, pauses = self.wanted.idle_s / 3, delays()
                self.model = model
                if model.closed_at is not None:
                    self._end(model)

    async def _finish(self) -> None:
        """Close it in the lab; one that is over there already ends with the lab's reason."""
        assert self.model is not None
        try:
            model = await self.lab.http.call("DELETE", f"v1/sessions/{self.model.id}", SessionModel)
        except (NotFound, Conflict, Forbidden) as error:
            held_s = self.model.held_s if self.model.held_s is not None else time.monotonic() - self._opened_at
            model = msgspec.structs.replace(
                self.model, closed_at=datetime.now(UTC), reason=error.message, held_s=held_s
            )
        self._end(model)

    def _end(self, model: SessionModel) -> None:
        self.model = model
        self.lab.held.discard(model.id)

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
    async def submit(self, circuits: object, /, **options: Any) -> JobHandle:
        """Submit to the held QPU; options as of `Lab.submit`."""
        return await self._submit(circuits, options)

    @both
    async def run(self, circuits: object, /, **options: Any) -> JobHandle:
        """Submit, wait, and give the finished job: ``s.run(circuit).counts()``.

        Raises
        ------
        QpiError
            the job failed or was cancelled, or the session is over.
        """
        job = await self._submit(circuits, options)
        await job.wait.aio()
        if (error := job.error) is not None:
            raise error
        return job

    async def _submit(self, circuits: object, options: dict[str, Any]) -> JobHandle:
        self._check()
        payer = {} if self.wanted.group is None else {"group": self.wanted.group}
        return await self.lab.send(circuits, {**payer, **options, "qpu": self.qpu})

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


class SessionCalls(Calls, ABC):
    """The part of a `Lab` that holds QPUs."""

    held: set[str]
    """Sessions that this kernel must let go of when it ends."""

    @abstractmethod
    async def send(self, circuits: object, options: dict[str, Any]) -> JobHandle:
        """Submit a job."""

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
        return Session(
            self, SessionIn(qpu=qpu, budget_s=times.seconds(budget), idle_s=times.seconds(idle), group=group)
        )


async def let_go(http: Http, held: set[str]) -> None:
    """Close what is still held, once and briefly."""
    closing = [
        http.call("DELETE", f"v1/sessions/{session_id}", SessionModel, retry_s=0.0, answer_s=_CLOSE_S)
        for session_id in held
    ]
    held.clear()
    await asyncio.gather(*closing, return_exceptions=True)
