"""``jobs/{id}/ws``: a job, told whenever it changes, until it is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from tornado.httpclient import HTTPClientError
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError

from qpi_jupyter.core import (
    Forbidden,
    NotFound,
    Permission,
    Principal,
    QpiError,
    TooMany,
    Unauthorized,
    Unavailable,
)
from qpi_jupyter.wire.tasks import ended
from qpi_server.bus.socket import LabSocket
from qpi_server.host.forward import GOING_AWAY, Upstream, pass_on
from qpi_server.service import Lab
from qpi_server.web.errors import from_exception
from qpi_server.web.signed import Signed

from .base import API, PREFIX
from .jobs import CoordinatorJob, look

PATH = rf"{PREFIX}{API}jobs/(?P<id>[^/]+)/ws"
PERMISSION = Permission.JOBS_READ
OVER = 1000
CLOSES: dict[type[QpiError], int] = {Unauthorized: 4401, Forbidden: 4401, NotFound: 4404, TooMany: 4429}
"""With which code a socket is closed at once, by what is wrong."""
MAX_MESSAGE_BYTES = 4 << 20


class JobSocket(LabSocket, Signed):
    """One client that watches one job; what it sends is read and forgotten."""

    _refused: QpiError | None = None
    _task: asyncio.Task[None] | None = None
    _far: WebSocketClientConnection | None = None

    def check_origin(self, origin: str = "") -> bool:
        """Whether a page may open it: Jupyter's rule, for which a credential in a header is no page's."""
        return bool(JupyterHandler.check_origin(self, origin))

    async def prepare(self) -> None:  # type: ignore[override]
        """Find out who asks; a refusal is told by the code with which the socket is closed."""
        try:
            await self.sign_in(PERMISSION)
            self._target = await self.ownership.target()
            await self.admit(self._target, PERMISSION)
        except QpiError as error:
            self._refused = error

    @allow_unauthenticated
    async def get(self, *args: str, **kwargs: str) -> None:
        """Shake hands, with the lab's owner first where that is somebody else."""
        if self._refused is None and isinstance(self._target, Upstream):
            try:
                self._far = await self._dial(self._target, kwargs["id"])
            except QpiError as error:
                self._refused = error
        await super().get(*args, **kwargs)
        if self._far is not None and self.ws_connection is None:  # the handshake came to nothing
            self._far.close()

    def open(self, *_args: str, **kwargs: str) -> None:
        """Begin to tell, or say why not."""
        if self._refused is not None:
            self._end(self._refused)
        elif self._far is not None:
            self._task = asyncio.create_task(pass_on(self._far, self), name="a job's socket from the owner")
        else:
            assert not isinstance(self._target, Upstream)
            assert self.principal is not None
            tell = self._tell(self._target, self.principal, kwargs["id"])
            self._task = asyncio.create_task(tell, name=f"a socket of {kwargs['id']}")

    def on_message(self, _message: str | bytes) -> None:
        """Nothing is asked for in words."""

    def on_close(self) -> None:
        """The client has gone."""
        if self._task is not None:
            self._task.cancel()
        if self._far is not None:
            self._far.close()

    async def _tell(self, lab: Lab, person: Principal, job_id: str) -> None:
        try:
            async with lab.waits.turn(person.name), asyncio.timeout(person.recheck_s):
                async for job in changes(lab, person, job_id):
                    await self.write_message(msgspec.json.encode(job))
            self.close(OVER, "The job is over.")
        except TimeoutError:  # whoever comes again is asked for the credential again
            self.close(GOING_AWAY, "Sign in again.")
        except (WebSocketClosedError, StreamClosedError):
            return
        except Exception as error:  # nobody waits for this task: the client hears of it
            self._end(from_exception(error))

    async def _dial(self, upstream: Upstream, job_id: str) -> WebSocketClientConnection:
        token = upstream.token if self.visitor is not None else self.sent_token
        assert token is not None
        path = f"{PREFIX}{API}jobs/{job_id}/ws".lstrip("/")
        try:
            return await upstream.websocket(path, token, max_bytes=MAX_MESSAGE_BYTES)
        except (HTTPClientError, OSError, TimeoutError) as error:
            raise Unavailable("The lab's owner does not answer.") from error

    def _end(self, error: QpiError) -> None:
        self.end(next((CLOSES[kind] for kind in type(error).__mro__ if kind in CLOSES), GOING_AWAY), error.message)


async def changes(lab: Lab, person: Principal, job_id: str) -> AsyncIterator[CoordinatorJob]:
    """The job now and after every change, its ``quantum_result`` left out, until it is over.

    Raises
    ------
    NotFound
        there is no such job.
    """
    shown: CoordinatorJob | None = None
    while True:
        cursor = (await lab.events.newest()).cursor
        job = await lab.jobs.get(person, job_id)
        found = await look(lab, person, job_id)
        if found != shown:
            shown = found
            yield found
        if found.status in ("COMPLETED", "FAILED"):
            return
        await _news(lab, person, job_id, job.version, cursor)


async def _news(lab: Lab, person: Principal, job_id: str, version: int, cursor: int) -> None:
    """Return once there is something new of the job, or of a part of it."""
    waits = [
        asyncio.ensure_future(lab.jobs.get(person, job_id, wait_s=60.0, version=version)),
        asyncio.ensure_future(of_parts(lab, person, job_id, cursor)),
    ]
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            one.result()
    finally:
        await ended(*waits)


async def of_parts(lab: Lab, person: Principal, job_id: str, cursor: int) -> None:
    """Return once something has happened to a part of the job; each other job is looked up once."""
    others: set[str] = set()
    async for event in lab.events.subscribe(person, after=cursor):
        if event.job_id is None or event.job_id in others:
            continue
        family = (await lab.jobs.family(person, job_id)).jobs
        if any(one.id == event.job_id and one.parent == job_id for one in family):
            return
        others.add(event.job_id)  # and never becomes a part: parts are written with their job
