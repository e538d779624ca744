"""The fork server: children are forked from this one process, which has loaded what they all need.

``python -m qpi_agent.forkserver SOCKET EXECUTOR...``. It never opens an executor nor runs a program, has no thread of
the project's and no credential, and ends when the other end of SOCKET is closed. A record that comes there is the role
of a child to fork, with three descriptors: its socket, its lifeline and its log; or ``join``, with the socket of
somebody else who asks for children. What it answers: `messages.News`.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, cast, get_args

from .messages import Ended, Forked, News, Refused, Role, encode_news

_DESCRIPTORS = 3
_RECORD_BYTES = 64


class Born(NamedTuple):
    """What a child has of its own."""

    role: Role
    sock: int
    lifeline: int


class _Server:
    def __init__(self, owner: socket.socket) -> None:
        self._owner = owner
        self._poll = select.poll()
        self._clients: dict[int, socket.socket] = {}
        self._children: dict[int, tuple[int, socket.socket]] = {}
        """By its pidfd: the process, and who asked for it."""
        self._join(owner)

    def serve(self) -> Born | None:
        """Until the owner hangs up: then None. In each child it returns what that child has."""
        while self._owner.fileno() >= 0:
            for fd, _ in self._poll.poll():
                if fd in self._children:
                    self._bury(fd)
                elif fd in self._clients and (born := self._hear(self._clients[fd])) is not None:
                    return born
        return None

    def _join(self, client: socket.socket) -> None:
        self._clients[client.fileno()] = client
        self._poll.register(client, select.POLLIN)

    def _hear(self, client: socket.socket) -> Born | None:
        word, fds = b"", list[int]()
        with contextlib.suppress(ConnectionError):
            word, fds, _, _ = socket.recv_fds(client, _RECORD_BYTES, _DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
        if not word:
            self._poll.unregister(client)
            del self._clients[client.fileno()]
            client.close()
        elif word == b"join":
            self._join(socket.socket(fileno=fds[0]))
        else:
            return self._fork(client, cast(Role, word.decode()), fds)
        return None

    def _fork(self, client: socket.socket, role: Role, fds: Sequence[int]) -> Born | None:
        assert role in get_args(Role)
        sock, lifeline, log = fds
        try:
            pid = os.fork()
            if pid == 0:
                return self._become(role, sock, lifeline, log)
            self._born(client, pid)
        except OSError as error:
            _say(client, Refused(errno=error.errno or 0))
        for fd in fds:
            os.close(fd)
        return None

    def _born(self, client: socket.socket, pid: int) -> None:
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
        self._children[pidfd] = pid, client
        self._poll.register(pidfd, select.POLLIN)
        _say(client, Forked(pid=pid), pidfd)

    def _bury(self, pidfd: int) -> None:
        pid, client = self._children.pop(pidfd)
        self._poll.unregister(pidfd)
        os.close(pidfd)
        _, status, usage = os.wait4(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        _say(client, Ended(pid=pid, code=code, peak_bytes=usage.ru_maxrss * 1024))

    def _become(self, role: Role, sock: int, lifeline: int, log: int) -> Born:
        """In the child: let go of what is others'."""
        for client in self._clients.values():
            client.close()
        for pidfd in self._children:
            os.close(pidfd)
        for standard in (1, 2):  # what guests print belongs to the log
            os.dup2(log, standard)
        os.close(log)
        return Born(role, sock, lifeline)


def _say(client: socket.socket, news: News, *fds: int) -> None:
    """Whoever has gone, or does not listen, hears nothing of it: children end by themselves."""
    with contextlib.suppress(OSError):
        socket.send_fds(client, [encode_news(news)], fds, socket.MSG_DONTWAIT)


def name_process(name: str) -> None:
    """What people see in ``ps -o comm`` and ``top``."""
    Path("/proc/self/comm").write_text(name)


def main() -> None:
    """Load, then fork whenever somebody asks; and be each of the children."""
    owner, *executors = sys.argv[1:]
    name_process("qpi-fork")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the agent's to interpret
    os.environ.setdefault("QISKIT_PARALLEL", "FALSE")
    gc.disable()
    from . import child

    child.load_ahead(executors)
    gc.freeze()  # pages that no collection touches stay shared
    born = _Server(socket.socket(fileno=int(owner))).serve()
    if born is not None:
        name_process(f"qpi-{born.role}")
        gc.enable()
        child.serve(born.sock, born.lifeline)


if __name__ == "__main__":
    main()
