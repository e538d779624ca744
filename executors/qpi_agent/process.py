"""A child process as the agent sees it: have it forked, talk to it, stop it, know how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

from qpi_jupyter.core import Faulted, Manifest, QpiError

from .backoff import Backoff
from .messages import (
    LENGTH_BYTES,
    Answer,
    Command,
    Ended,
    Failed,
    Forked,
    Open,
    Ready,
    Refused,
    Role,
    decode_answer,
    decode_news,
    frame,
)

log = logging.getLogger(__name__)
_KEPT_FROM_CHILDREN = ("QPI_ACCESS_TOKEN", "QPI_FAULT_POINT", "QPI_FAULT_LOG")
"""Executors are guests: they never see the lab's credential."""
_FROM_OUTSIDE = (
    signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGSTOP,
)  # fmt: skip
"""Signals that a process gets from somebody else; what it does wrong by itself ends it by others."""
_NEAR_CAP = 0.9
NEWS_S, FORK_S = 15.0, 120.0
"""How long a fork server may take to say how a child ended, and to answer: one that is halted does neither."""
_RECORD_BYTES = 64
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Died(Exception):
    """The child has ended; ``code`` is negative for a signal, ``peak_bytes`` its largest resident size. Of one whose
    fork server ended before it nobody knows more: ``code`` is None."""

    def __init__(self, code: int | None, peak_bytes: int) -> None:
        how = "ended" if code is None else f"ended with status {code}"
        if code is not None and code < 0:
            how = f"was ended by {signal.Signals(-code).name}"
        super().__init__(f"the child process {how}")
        self.code, self.peak_bytes = code, peak_bytes
        self.starved = False
        """Whether the system killed something for want of memory meanwhile."""

    @property
    def from_outside(self) -> bool:
        """Whether somebody ended it, and not what it did itself."""
        # A child that catches SIGTERM ends as a shell would say it.
        ends = {None, *(code for number in _FROM_OUTSIDE for code in (-number, 128 + number))}
        return not self.starved and self.code in ends

    def over(self, cap: int | None) -> bool:
        """Whether it had come near its limit of memory."""
        return cap is not None and self.peak_bytes >= _NEAR_CAP * cap


class Child:
    """One running child process. Make it with `spawn`, which waits until it is warm."""

    def __init__(self, pid: int, pidfd: int, streams: Streams) -> None:
        self.pid, self._pidfd = pid, pidfd
        self._reader, self._writer = streams
        self.reads = False
        """Whether its executor has readings of its own: known once it is warm."""
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[Died] = self._loop.create_future()
        self._news_s = NEWS_S
        self._unheard: asyncio.TimerHandle | None = None
        self._loop.add_reader(pidfd, self._over)

    @property
    def alive(self) -> bool:
        return not self.exited.done()

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
            with contextlib.suppress(ProcessLookupError):  # its end is known where it was forked, and not here yet
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

    def ended(self, died: Died) -> None:
        """It has ended, as who had it forked says; what is said later changes nothing."""
        if not self.alive:
            return
        if self._unheard is not None:
            self._unheard.cancel()
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._writer.close()
        self.exited.set_result(died)

    def orphaned(self) -> None:
        """From now on nobody says how it ends."""
        self._news_s = 0.0
        if self._unheard is not None:
            self.ended(Died(None, 0))

    def _over(self) -> None:
        """It has ended: wait for who can say how."""
        self._loop.remove_reader(self._pidfd)
        self._unheard = self._loop.call_later(self._news_s, self.ended, Died(None, 0))


class ForkServer:
    """Where an agent's children come from: one process that has loaded what they need (`qpi_agent.forkserver`).

    It is started with the first child, and again when it has ended; children that it has forked live on meanwhile. They
    end with this process in any case, for it alone holds the other end of their lifeline.

    Parameters
    ----------
    executor
        what is to be loaded.
    given
        a socket to one that somebody else has started, which is used as long as it lives.
    """

    def __init__(self, executor: str, given: int | None = None) -> None:
        self._executor = executor
        self._loop = asyncio.get_running_loop()
        self._lifeline, self._held = os.pipe()
        self._process: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        self._asked: deque[tuple[asyncio.Future[Child], Streams]] = deque()
        """Answers come in the order of the questions."""
        self._children: dict[int, Child] = {}
        if given is not None:
            self._hear(socket.socket(fileno=given))

    def pids(self) -> list[int]:
        """The children that are there now."""
        return list(self._children)

    async def fork(self, role: Role) -> Child:
        """A new child, which waits for its `Open`.

        Raises
        ------
        OSError
            the machine has no process to give.
        Faulted
            the fork server has ended instead of answering, or does not answer: then it is given up.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            streams = await asyncio.open_connection(sock=ours)
            try:
                if self._link is None:
                    self._start()
                assert self._link is not None
                socket.send_fds(self._link, [role.encode()], [theirs.fileno(), self._lifeline, 2])
            except BaseException:
                streams[1].close()
                raise
        future: asyncio.Future[Child] = self._loop.create_future()
        self._asked.append((future, streams))
        link = self._link
        try:
            async with asyncio.timeout(FORK_S):
                return await future
        except TimeoutError:
            if self._link is link:
                if self._process is not None:
                    self._process.kill()
                self._lost()
            raise Faulted(
                "The process that children are forked from does not answer.", code="executor_failed"
            ) from None

    def close(self) -> None:
        """End it. Children that are still there end too."""
        if self._process is not None:
            self._process.kill()
        if self._link is not None:
            self._lost()
        os.close(self._lifeline)
        os.close(self._held)

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, contextlib.ExitStack() as undo:
            undo.callback(ours.close)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "qpi_agent.forkserver", str(theirs.fileno()), self._executor],
                stdin=subprocess.DEVNULL,
                stdout=sys.__stderr__,
                pass_fds=[theirs.fileno()],
                env={k: v for k, v in os.environ.items() if k not in _KEPT_FROM_CHILDREN},
            )
            undo.pop_all()
        self._hear(ours)

    def _hear(self, link: socket.socket) -> None:
        self._link = link
        link.setblocking(False)
        self._loop.add_reader(link, self._heard)

    def _heard(self) -> None:
        assert self._link is not None
        record, fds = b"", list[int]()
        with contextlib.suppress(ConnectionError):
            record, fds, _, _ = socket.recv_fds(self._link, _RECORD_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
        if not record:
            self._lost()
            return
        match decode_news(record):
            case Forked(pid=pid):
                future, streams = self._asked.popleft()
                if not fds:  # no descriptor was left for it: it ends with its socket
                    streams[1].close()
                    if not future.cancelled():
                        future.set_exception(OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
                    return
                child = self._children[pid] = Child(pid, fds[0], streams)
                if future.cancelled():
                    child.signal(signal.SIGKILL)
                else:
                    future.set_result(child)
            case Refused(errno=number):
                self._fail(OSError(number, os.strerror(number)))
            case Ended(pid=pid, code=code, peak_bytes=peak_bytes):
                if (ended := self._children.pop(pid, None)) is not None:
                    ended.ended(Died(code, peak_bytes))

    def _fail(self, error: Exception) -> None:
        """The oldest question has no answer."""
        future, (_, writer) = self._asked.popleft()
        writer.close()
        if not future.cancelled():
            future.set_exception(error)

    def _lost(self) -> None:
        """The fork server has ended."""
        assert self._link is not None
        self._loop.remove_reader(self._link)
        self._link.close()
        self._link = None
        if self._process is not None:
            self._process.wait()
            self._process = None
        while self._asked:
            self._fail(Faulted("The process that children are forked from has ended.", code="executor_failed"))
        for child in self._children.values():
            child.orphaned()
        self._children.clear()


async def spawn(opening: Open, forks: ForkServer) -> tuple[Child, Manifest]:
    """A warm child and what its executor can do.

    Raises
    ------
    Faulted
        no child could be started, or it ended before it was warm: another one may do better.
    QpiError
        the executor cannot be made or opened.
    """
    try:
        child = await forks.fork(opening.role)
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
        child.reads = answer.reads
        return child, answer.manifest
    assert isinstance(answer, Failed)
    assert answer.error is not None
    await asyncio.shield(child.exited)
    raise QpiError.from_dict(answer.error)


async def spawn_in_the_end(
    opening: Open, forks: ForkServer, failed: Callable[[QpiError, float], None], *, patient: bool = True
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
            return await spawn(opening, forks)
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
