"""What the agent says with its children, length-prefixed MessagePack over a socket pair; and with whoever forks them,
a record each over a pair that keeps records apart."""

from __future__ import annotations

import select
import socket
import traceback
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Self

import msgspec
from msgspec import Struct

from qpi_jupyter.core import Calibration, Estimate, Faulted, Manifest, Preview, QpiError, TooLarge, programs_fault
from qpi_jupyter.core.reservations import Compiled
from qpi_jupyter.wire.frames import ProgramRef, Reading, RowChunk

LENGTH_BYTES = 4
_TRACEBACK_CHARS = 8_000
"""So much of the end of a traceback."""
MAX_CHANNELS = 200
"""Readings of one executor: a heartbeat has room for the driver's own, too."""
Role = Literal["run", "check", "read"]


def told(error: QpiError) -> dict[str, Any]:
    """An error as a child tells it: what an executor says may be of any length, and have half characters in it."""
    return QpiError.from_dict(error.to_dict()).to_dict()


class Key(NamedTuple):
    """Which attempt."""

    job_id: str
    attempt: int


class Open(Struct, kw_only=True, tag="open"):
    """First of all: what to be."""

    role: Role
    executor: str
    options: dict[str, Any] = {}
    memory_cap_bytes: int | None = None
    instrument_allowed: bool = True


class Run(Struct, kw_only=True, tag="run"):
    """Measure, and write the result to ``path``."""

    key: Key
    program: ProgramRef
    path: str
    calibration: str = ""
    """The id of the only calibration that it may run on; empty: any."""


class Check(Struct, kw_only=True, tag="check"):
    """Validate and estimate; with ``target``, also compile for it with ``seed``."""

    program: ProgramRef
    target: Manifest | None = None
    seed: int = 0


class Read(Struct, kw_only=True, tag="read"):
    """Read what the executor reads of its surroundings."""


class Look(Struct, kw_only=True, tag="look"):
    """Say what the program becomes, of a check child."""

    program: ProgramRef


class Cancel(Struct, kw_only=True, tag="cancel"):
    """Stop this attempt when you can; another one is not meant."""

    key: Key


class Ready(Struct, kw_only=True, tag="ready"):
    """The answer to `Open`. ``reads``: the executor has readings of its own."""

    manifest: Manifest
    reads: bool = False


class Progress(Struct, kw_only=True, tag="progress"):
    fraction: float


class Rows(Struct, kw_only=True, tag="rows"):
    """Some rows more are measured; ``measured`` of them in all, and what is drawn of these."""

    chunks: list[RowChunk]
    measured: int
    drawings: list[dict[str, Any]] = []


class Calibrated(Struct, kw_only=True, tag="calibrated"):
    """The next run is measured with these values."""

    calibration: Calibration


class Measured(Struct, kw_only=True, tag="measured"):
    """The executor is done; encoding comes next, and nothing stops the attempt any more."""

    busy_s: float


class Spooled(Struct, kw_only=True, tag="spooled"):
    """The result is on disk, whole and synced."""

    busy_s: float


class Failed(Struct, kw_only=True, tag="failed"):
    """No result, or no start: the program's fault (errored), the bench's (interrupted), or as asked (aborted)."""

    outcome: Literal["errored", "interrupted", "aborted"]
    error: dict[str, Any] | None = None
    busy_s: float = 0.0
    traceback: str = ""
    """Where in the executor it failed, for the driver's log alone."""

    @classmethod
    def of(cls, error: BaseException, busy_s: float) -> Self:
        """What an error says."""
        cause = error.__cause__ or error
        if isinstance(cause, MemoryError) or "bad_alloc" in str(error):
            error = TooLarge("The program needs more memory than its place has.", code="out_of_memory")
        elif isinstance(error, OSError):
            error = Faulted(f"The driver cannot keep the result: {error}", code="spool_failed")
        assert isinstance(error, QpiError)
        return cls(
            outcome="errored" if programs_fault(error) else "interrupted", error=told(error), busy_s=busy_s,
            traceback="".join(traceback.format_exception(cause)).rstrip()[-_TRACEBACK_CHARS:],
        )  # fmt: skip


class Checked(Struct, kw_only=True, tag="checked"):
    estimate: Estimate | None = None
    error: dict[str, Any] | None = None
    compiled: Compiled | None = None


class Said(Struct, kw_only=True, tag="said"):
    """What the executor read, and what was wrong with it."""

    readings: list[Reading] = []
    problem: str = ""


class Looked(Struct, kw_only=True, tag="looked"):
    preview: Preview | None = None
    error: dict[str, Any] | None = None


class Forked(Struct, kw_only=True, tag="forked"):
    """The fork server has a new child; with this comes its pidfd."""

    pid: int


class Refused(Struct, kw_only=True, tag="refused"):
    """The machine has no process to give: why, as the system numbers it."""

    errno: int


class Ended(Struct, kw_only=True, tag="ended"):
    """A child has ended; ``code`` is negative for a signal, ``peak_bytes`` its largest resident size."""

    pid: int
    code: int
    peak_bytes: int


Command = Open | Run | Check | Look | Read | Cancel
Answer = Ready | Progress | Rows | Calibrated | Measured | Spooled | Failed | Checked | Looked | Said
News = Forked | Refused | Ended
"""What a fork server says."""

_encoder = msgspec.msgpack.Encoder()
_commands: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
decode_answer: Callable[[bytes], Answer] = msgspec.msgpack.Decoder(Answer).decode
decode_news: Callable[[bytes], News] = msgspec.msgpack.Decoder(News).decode
encode_news: Callable[[News], bytes] = _encoder.encode


def frame(message: Command | Answer) -> bytes:
    """The message as it travels."""
    body = _encoder.encode(message)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


class Channel:
    """The child's end: blocking, for one thread."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    def send(self, message: Answer) -> None:
        self._sock.sendall(frame(message))

    def receive(self) -> Command:
        """The next command.

        Raises
        ------
        EOFError
            the agent has gone.
        """
        return _commands.decode(self._exactly(int.from_bytes(self._exactly(LENGTH_BYTES), "big")))

    def waiting(self) -> bool:
        """Whether a command, or the end, has come."""
        return bool(self._poll.poll(0))

    def _exactly(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            part = self._sock.recv(min(count - len(parts), 1 << 20))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)
