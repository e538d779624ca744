"""The outputs of jobs in this kernel, and what keeps them up to date where the panel does not.

What the lab says is heard on the client's own loop, so that it is known while a cell blocks the kernel's; outputs are
written by the kernel's thread only: by its loop, and at the end of each cell.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from qpi_jupyter.client.http import delays
from qpi_jupyter.core import QpiError, Unavailable

from .bundle import bundle
from .loops import running_loop
from .pending import Pending
from .state import tabs_of

if TYPE_CHECKING:
    from qpi_jupyter.client import JobHandle
    from qpi_jupyter.data.drawings import Drawing

_EVERY_S = 1.0
"""How often a running job's output is written at most."""
_LAST_S = 20.0
"""How long the end of a cell waits for what a job that has ended shows."""
_tasks: set[asyncio.Task[None]] = set()
"""A loop holds its tasks weakly."""
_outputs: set[Output] = set()
"""Those whose last word has not been written during a cell."""


class Output:
    """A job's output somewhere in the notebook, found by its display id."""

    def __init__(self, job: JobHandle, loop: asyncio.AbstractEventLoop | None) -> None:
        from IPython.display import display

        self.job = job
        self._loop = loop
        self._news = threading.Event()
        self._drawings: list[Drawing] = []
        self._total = 0
        self._lost = ""
        self._ended = False
        self._next: asyncio.TimerHandle | None = None
        self._shown = display(bundle(job), raw=True, display_id=True)
        self._heard = job.http.portal.start(self._hear())

    # -- on the client's loop ------------------------------------------------------------------------------------

    async def _hear(self) -> None:
        try:
            await self._until_final()
            if self.job.model.status == "completed":
                self._drawings, self._total = await tabs_of(self.job)
        except QpiError as error:
            self._lost = error.message
        self._ended = True
        self._tell()

    async def _until_final(self) -> None:
        pauses = delays()
        while not self.job.final:
            try:
                await self.job.changed.aio()
            except Unavailable as error:
                self._lost = error.message
                self._tell()
                await asyncio.sleep(next(pauses))
            else:
                self._lost, pauses = "", delays()
                if not self.job.final:
                    self._tell()

    def _tell(self) -> None:
        self._news.set()
        if self._loop is not None:
            with suppress(RuntimeError):  # the kernel ends
                # Outside of any cell's context: see `_write`.
                self._loop.call_soon_threadsafe(self._write_soon, context=contextvars.Context())

    # -- on the kernel's thread ----------------------------------------------------------------------------------

    def wait(self) -> None:
        """Keep it up to date until the job has ended, while the cell blocks."""
        self.keep(self._heard)
        self._write()

    def keep(self, work: Future[Any]) -> None:
        """Keep it up to date until ``work`` is done, while the cell blocks."""
        work.add_done_callback(lambda _: self._news.set())
        while not (self._ended or work.done()):
            if self._news.wait(_EVERY_S):
                self._write()

    def settle(self) -> None:
        """Write what the job came to; soon, it has ended."""
        with suppress(TimeoutError, CancelledError):
            self._heard.result(_LAST_S)
            self._write()

    def _write_soon(self) -> None:
        assert self._loop is not None
        if self._ended:
            self._write()
        elif self._next is None:
            self._write()
            self._next = self._loop.call_later(_EVERY_S, self._write_again)

    def _write_again(self) -> None:
        self._next = None
        if self._news.is_set():
            self._write_soon()

    def _write(self) -> None:
        """In the name of the cell that runs now: front ends go by the display's id alone, while nbclient drops what
        finished cells say. An empty context has no cell of its own."""
        self._news.clear()
        if self._shown is not None:
            data = bundle(self.job, self._drawings, self._total, self._lost)
            contextvars.Context().run(self._shown.update, data, raw=True)


def follow(job: JobHandle) -> Output:
    """Display the job, and keep the output up to date.

    What the job came to is in the output before the cell that waited for it ends, whichever cell displayed it.
    """
    from IPython.core.getipython import get_ipython

    output = Output(job, running_loop())
    _outputs.add(output)
    shell = get_ipython()
    if shell is not None and _settle not in shell.events.callbacks["post_run_cell"]:
        shell.events.register("post_run_cell", _settle)
    return output


def meanwhile(job: JobHandle, work: Future[Any] | None) -> None:
    """Let somebody who waits for the job see it: where it is on display, or else here."""
    output = next((output for output in _outputs if output.job is job), None) or follow(job)
    if work is not None:
        output.keep(work)


def _settle(_result: object) -> None:
    """At the end of a cell: what was waited for, and what was written between two of them, where nbclient is deaf."""
    for output in [output for output in _outputs if output.job.final]:
        _outputs.discard(output)
        output.settle()


def bind_later(pending: Pending, namespace: dict[str, Any]) -> None:
    """Let its name hold ``pending`` now, and the job's data as soon as it is there."""
    namespace[pending.name] = pending
    start_task(_bind(pending, namespace))


async def _bind(pending: Pending, namespace: dict[str, Any]) -> None:
    try:
        data = await pending
    except QpiError:
        # The output shows it, and so does whoever uses the name.
        return
    # Somebody may have given the name to something else meanwhile.
    if namespace.get(pending.name) is pending:
        namespace[pending.name] = data


def start_task(work: Coroutine[Any, Any, None]) -> None:
    """Let ``work`` run on the kernel's own loop."""
    task = asyncio.get_running_loop().create_task(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
