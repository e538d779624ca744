"""Our end of the process that is the libp2p peer (`program`): it is started here, spoken to, and ends with us."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from qpi_jupyter.core import Conflict, QpiError, Rejected, Unavailable
from qpi_jupyter.wire.frames import MAX_FRAME_BYTES

from .pipe import ON_PIPE, Kind

PYTHON = "QPI_P2P_PYTHON"
"""The environment variable with the interpreter that has libp2p, if it is not this one."""
WINDOW = 64
"""So many frames of one link may wait for us."""
MOST_AD_BYTES = 64 << 10
_STARTING_S, _ENDING_S = 60.0, 3.0


class Frame(NamedTuple):
    kind: Kind
    link: int
    body: bytes


class Settings(Struct, kw_only=True):
    """What the peer is: a lab's, which listens and keeps its key, or a driver's, which dials."""

    listen: str = ""
    key: str = ""
    dial: str = ""
    protocol: str
    topic: str
    """Where drivers advertise themselves."""
    guests: int = 256
    """So many may be signed in at once."""
    strangers: int = 32
    """So many may be about to sign in at once; the next are turned away."""
    sign_in_s: float = 10.0
    sign_in_bytes: int = 4096
    ad_bytes: int = MOST_AD_BYTES
    frame_bytes: int = MAX_FRAME_BYTES
    waiting_bytes: int = 16 * MAX_FRAME_BYTES
    """A link ends if so much waits for its other end."""


class Ready(Struct):
    peer_id: str
    addresses: list[str]


class Failed(Struct):
    code: str
    message: str


class Process:
    """A running peer.

    `frames` has to be read all the time: what comes on its links is bounded by the credit that each gets.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._in, self._out = process, process.stdin, process.stdout
        self.ready = Ready("", [])

    @property
    def pid(self) -> int:
        return self._process.pid

    @classmethod
    async def start(cls, settings: Settings) -> Process:
        """A peer that is there.

        Raises
        ------
        Rejected
            there is no libp2p, or it can never start by these settings.
        Unavailable
            not now.
        """
        program = Path(__file__).with_name("program.py")
        # Of its own session: what a terminal interrupts is us, and it ends when we do.
        python = interpreter()
        try:
            started = await asyncio.create_subprocess_exec(
                python, str(program), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise Rejected(f"{PYTHON}: {python} cannot be started: {error.strerror}.", code="no_libp2p") from error
        self = cls(started)
        try:
            await self.send(Kind.SETTINGS, 0, msgspec.json.encode(settings))
            async with asyncio.timeout(_STARTING_S):
                frame = await self._next()
            if frame is None:
                raise Unavailable("The libp2p peer ended while starting; its last words are above.", code="no_peer")
            if frame.kind is Kind.FAILED:
                raise _refusal(msgspec.json.decode(frame.body, type=Failed))
            self.ready = msgspec.json.decode(frame.body, type=Ready)
        except TimeoutError as error:
            await self.close()
            raise Unavailable(f"The libp2p peer did not start within {_STARTING_S} s.", code="no_peer") from error
        except BaseException:
            await self.close()
            raise
        return self

    async def send(self, kind: Kind, link: int, body: bytes) -> None:
        """Returns when it is on its way.

        Raises
        ------
        Unavailable
            the peer has ended.
        """
        try:
            self._in.write(ON_PIPE.pack(kind, link, len(body)) + body)
            await self._in.drain()
        except (ConnectionError, RuntimeError) as error:
            raise Unavailable("The libp2p peer has ended.", code="link_closed") from error

    async def credit(self, link: int, frames: int) -> None:
        """Take so many more frames of the link; no error if the peer has ended."""
        with contextlib.suppress(Unavailable):
            await self.send(Kind.CREDIT, link, frames.to_bytes(4))

    async def bye(self, link: int, reason: str = "") -> None:
        """End the link; no error if the peer has ended."""
        with contextlib.suppress(Unavailable):
            await self.send(Kind.BYE, link, reason.encode())

    async def frames(self) -> AsyncIterator[Frame]:
        """What it says, until it ends."""
        while (frame := await self._next()) is not None:
            yield frame

    async def close(self) -> None:
        """End it."""
        self._in.close()
        try:
            async with asyncio.timeout(_ENDING_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def _next(self) -> Frame | None:
        try:
            kind, link, size = ON_PIPE.unpack(await self._out.readexactly(ON_PIPE.size))
            return Frame(Kind(kind), link, await self._out.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None


def interpreter() -> str:
    """The Python that has libp2p.

    Raises
    ------
    Rejected
        there is none.
    """
    if stated := os.environ.get(PYTHON):
        return stated
    if all(importlib.util.find_spec(name) for name in ("libp2p", "trio")):
        return sys.executable
    raise Rejected(
        "The p2p bus needs libp2p: pip install 'qpi-jupyter[p2p]', or set QPI_P2P_PYTHON to the python of an "
        "environment that has it.",
        code="no_libp2p",
    )  # fmt: skip


def _refusal(failed: Failed) -> QpiError:
    message = f"The libp2p peer {failed.message}." if failed.code == "bus_taken" else f"libp2p: {failed.message}."
    if failed.code == "bus_taken":
        return Conflict(message, code=failed.code)
    if failed.code.startswith("bad_"):
        return Rejected(message, code=failed.code)
    return Unavailable(message, code=failed.code)
