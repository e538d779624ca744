"""A TCP proxy that a test cuts, closes and listens in on."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self


class Proxy:
    """Passes connections on to ``port`` of this machine, from a port of its own.

    Parameters
    ----------
    budget
        asked for each connection: after how many bytes of answers it is cut; None for never.
    """

    def __init__(self, port: int, budget: Callable[[], int | None] = lambda: None) -> None:
        self._target, self._budget = port, budget
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._through = threading.Event()
        self._through.set()
        self._down = False
        self.sent: list[bytearray] = []
        """What came from the clients, one entry a connection."""
        self.connections = self.cuts = 0
        self._threads = [threading.Thread(target=self._accept, name="proxy")]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._through.set()
        self.cut()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive(), thread

    def cut(self) -> None:
        """Unplug: every connection ends, and new ones end at once, until `mend`."""
        with self._lock:
            self._down = True
            for end in self._open:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let connections through again."""
        self._down = False

    def hold(self) -> None:
        """Leave connections that come from now on waiting, until `release`; those that are open go on."""
        self._through.clear()

    def release(self) -> None:
        self._through.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(client,), name=f"proxy {self.connections}")
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            self._through.wait()
            with socket.create_connection(("127.0.0.1", self._target)) as server:
                with self._lock:
                    if self._down:
                        return
                    self._open |= {client, server}
                kept = bytearray()
                self.sent.append(kept)
                answers = threading.Thread(target=self._pump, args=(server, client, None, self._budget()))
                answers.start()
                self._pump(client, server, kept, None)
                answers.join()
                with self._lock:
                    self._open -= {client, server}

    def _pump(self, source: socket.socket, to: socket.socket, kept: bytearray | None, budget: int | None) -> None:
        """Pass bytes on until either side ends or the budget is used up; then both have ended."""
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16 if budget is None else max(1, budget)):
                if kept is not None:
                    kept += data
                to.sendall(data)
                if budget is not None and (budget := budget - len(data)) <= 0:
                    self.cuts += 1
                    break
        for end in (source, to):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
