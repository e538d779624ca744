"""A child process as the agent sees it: spawn it, talk to it, stop it, know how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from qpi_jupyter.core import Faulted, Manifest, QpiError

from .backoff import Backoff
from .messages import LENGTH_BYTES, Answer, Command, Failed, Open, Ready, decode_answer, frame

log = logging.getLogger(__name__)
_KEPT_FROM_CHILDREN = ("QPI_ACCESS_TOKEN", "QPI_FAULT_POINT", "QPI_FAULT_LOG")
"""Executors are guests: they never see the lab's credential."""
_FOR_CHILDREN = {"QISKIT_PARALLEL": "FALSE"}
_FROM_OUTSIDE = (
    signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGSTOP,
)  # fmt: skip
"""Signals that a process gets from somebody else; what it does wrong by itself ends it by others."""
_NEAR_CAP = 0.9


class Died(Exception):
    """The child has ended; ``code`` is negative for a signal, ``peak_bytes`` its largest resident size."""

    def __init__(self, code: int, peak_bytes: int) -> None:
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        super().__init__(f"the child process {how}")
        self.code, self.peak_bytes = code, peak_bytes
        self.starved = False
        """Whether the system killed something for want of memory meanwhile."""

    @property
    def from_outside(self) -> bool:
        """Whether somebody ended it, and not what it did itself."""
        # A child that catches SIGTERM ends as a shell would say it.
        return not self.starved and any(self.code in (-number, 128 + number) for number in _FROM_OUTSIDE)

    def over(self, cap: int | None) -> bool:
        """Whether it had come near its limit of memory."""
        return cap is not None and self.peak_bytes >= _NEAR_CAP * cap


class Lifeline:
    """A pipe that only the agent holds open: children end when it ends."""

    def __init__(self) -> None:
        self.read_end, self._write_end = os.pipe()

    def close(self) -> None:
        os.close(self.read_end)
        os.close(self._write_end)


class Child:
    """One running child process. Make it with `spawn`, which waits until it is warm."""

    def __init__(self, process: subprocess.Popen[bytes], streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]):
        self._process = process
        self._reader, self._writer = streams
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[Died] = self._loop.create_future()
        self._pidfd = os.pidfd_open(process.pid)
        self._loop.add_reader(self._pidfd, self._reap)

    @property
    def alive(self) -> bool:
        return not self.exited.done()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def halted(self) -> bool:
        """Whether somebody has halted it (SIGSTOP)."""
        return self._proc("stat").rpartition(")")[2].split()[:1] in (["T"], ["t"])

    def waited_s(self) -> float:
        """How long it has been ready to run and got no processor; 0 where the system does not say."""
        figures = self._proc("schedstat").split()
        return int(figures[1]) / 1e9 if len(figures) > 1 else 0.0

    def send(self, command: Command) -> None:
        """Hand a command over; a dead child loses it, which `receive` tells."""
        self._writer.write(frame(command))

    async def receive(self) -> Answer:
        """The next answer.

        Raises
        ------
        Died
            there will be none.
        """
        try:
            length = int.from_bytes(await self._reader.readexactly(LENGTH_BYTES), "big")
            return decode_answer(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            # It may have closed its end and live on: then it is of no use any more.
            self.signal(signal.SIGKILL)
            raise await asyncio.shield(self.exited) from None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self.alive:
            signal.pidfd_send_signal(self._pidfd, number)

    async def stop(self, grace_s: float) -> None:
        """End it: it is asked to, and after ``grace_s`` it is made to."""
        self.signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await asyncio.shield(self.exited)
        self.signal(signal.SIGKILL)
        await asyncio.shield(self.exited)

    def _proc(self, name: str) -> str:
        """What ``/proc`` says of it; nothing once it has ended."""
        with contextlib.suppress(OSError):
            return Path(f"/proc/{self.pid}/{name}").read_text()
        return ""

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        _, status, usage = os.wait4(self.pid, 0)
        os.close(self._pidfd)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self._writer.close()
        self.exited.set_result(Died(self._process.returncode, usage.ru_maxrss * 1024))


async def spawn(opening: Open, lifeline: Lifeline) -> tuple[Child, Manifest]:
    """A warm child and what its executor can do. Call it in the main thread: the child dies with its parent *thread*.

    Raises
    ------
    Faulted
        no child could be started, or it ended before it was warm: another one may do better.
    QpiError
        the executor cannot be made or opened.
    """
    try:
        child = await _start(lifeline, opening.role)
    except OSError as error:
        raise Faulted(f"The machine starts no process: {error.strerror or error}.", code="executor_failed") from error
    try:
        child.send(opening)
        answer = await child.receive()
    except Died as died:
        raise Faulted(f"The executor {opening.executor!r} did not start: {died}.", code="executor_failed") from died
    except asyncio.CancelledError:
        child.signal(signal.SIGKILL)
        await asyncio.shield(child.exited)
        raise
    if isinstance(answer, Ready):
        return child, answer.manifest
    assert isinstance(answer, Failed)
    assert answer.error is not None
    await asyncio.shield(child.exited)
    raise QpiError.from_dict(answer.error)


async def spawn_in_the_end(
    opening: Open, lifeline: Lifeline, failed: Callable[[QpiError, float], None], *, patient: bool = True
) -> tuple[Child, Manifest]:
    """`spawn`, again and again until there is a child; ``failed`` hears of each failure, and how long the wait is.

    Raises
    ------
    QpiError
        unless ``patient``, what no repeat changes: the executor is unknown, or an option is wrong.
    """
    backoff = Backoff(first_s=0.5)
    while True:
        try:
            return await spawn(opening, lifeline)
        except QpiError as problem:
            if not (patient or isinstance(problem, Faulted)):
                raise
            wait_s = backoff.next()
            failed(problem, wait_s)
        await asyncio.sleep(wait_s)


def oom_kills() -> int:
    """How many processes of this machine the system has killed for want of memory."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


async def _start(lifeline: Lifeline, role: str) -> Child:
    ours, theirs = socket.socketpair()
    with contextlib.ExitStack() as undo:
        undo.callback(ours.close)
        with theirs:
            fds = (theirs.fileno(), lifeline.read_end)
            process = subprocess.Popen(
                [sys.executable, "-m", "qpi_agent.child", *map(str, fds), str(os.getpid()), role],
                stdin=subprocess.DEVNULL,
                stdout=sys.__stderr__,  # what guests print belongs to the log
                pass_fds=fds,
                env={**_FOR_CHILDREN, **{k: v for k, v in os.environ.items() if k not in _KEPT_FROM_CHILDREN}},
            )
        undo.callback(process.wait)
        undo.callback(process.kill)
        child = Child(process, await asyncio.open_connection(sock=ours))
        undo.pop_all()
        return child
