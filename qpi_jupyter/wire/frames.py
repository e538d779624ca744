"""What travels on a driver's link, over whatever `bus`; bodies are JSON texts of at most `MAX_FRAME_BYTES`.

Without another bus a driver dials one WebSocket, ``<base_url>qpi/v1/link``, with its token in the ``Authorization``
header (`peer` has its frames)::

    driver -> lab  request  lab.hello      Hello   -> Welcome      first frame, once a connection
                   request  lab.claim      Claim   -> Assignment   parked until there is a job
                   request  lab.report     Report  -> Reported     released, errored, interrupted, aborted
                   publish  lab.started    Started                a simulator tells, of a run of more than 50 ms or
                                                                  with progress: a shorter one only ends
                   request  lab.started    Started -> Reported    an instrument asks, and begins once it is on disk
                   publish  lab.progress   Progress
                   request  lab.calibrated Calibrated -> Reported  the next run is measured with other values
                   request  lab.rows       Rows    -> RowsTaken    what a running attempt has measured so far
                   publish  lab.heartbeat  Heartbeat
                   publish  lab.log        Log                     after a heartbeat, if there is something to say
    lab -> driver  request  qpu.prepare    Prepare -> Prepared     check a program, estimate it
                   request  qpu.preview    Prepare -> Previewed    show what a program becomes, and its pulses
                   request  qpu.ping       {} -> {}                how long a round trip takes
                   publish  qpu.abort      Abort                   stop an attempt, or drop it if it has not begun
                   publish  qpu.recall     Abort                   give an attempt back if it has not begun
                   publish  qpu.drain      {}                      take no more jobs
    either way     publish  lab.bye, qpu.bye   Bye                 the link counts no more: say hello on a new one

Nothing here is needed for correctness to arrive: a lost claim is asked again, a lost abort is repeated at the next
heartbeat's answer, a lost Started is implied by the result, a lost bye by the lease. Results do not travel here (see
`results`): what `Rows` has of them is to be looked at while the attempt runs, and goes away with it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from qpi_jupyter.core import (
    MAX_CIRCUITS,
    MAX_DRAWINGS,
    MAX_ESTIMATE_BYTES,
    MAX_SECONDS,
    MAX_TEXT,
    Calibration,
    Estimate,
    Manifest,
    Preview,
    Program,
)
from qpi_jupyter.core.reservations import Compiled

from .rest import OptionsIn, options_from
from .validation import END, PRINTABLE

MAX_FRAME_BYTES = 768 << 10
OLD_FRAME_BYTES = 256 << 10
"""What a driver takes that does not say: one from before frames could be larger."""
_REST_BYTES = 16 << 10
"""What else a job's frame has room for, beside its program and its options."""
INLINE_PROGRAM_BYTES = 64 << 10
"""A program up to this size rides in its frame; a larger one is fetched from ``GET programs/{sha256}``, packed."""
MAX_OPTIONS_BYTES = 640 << 10
"""Run options that a frame has room for, as JSON."""
MAX_LOG_LINES, MAX_LOG_MESSAGE, MAX_LOG_NAME = 40, 800, 100
"""Of one `Log`: together within a frame, whatever is written in them."""
ROWS_BYTES, DRAWINGS_BYTES = 96 << 10, 160 << 10
"""What one `Rows` has room for: of packed rows before base64, and of drawings as JSON."""
MAX_ROWS_BYTES = 16 << 20
"""Packed rows of one attempt."""
MAX_HELD, MAX_READINGS, MAX_PLACES = 2_048, 256, 512
LogLevel = Literal["info", "warning", "error", "critical"]

HELLO, CLAIM, REPORT = "lab.hello", "lab.claim", "lab.report"
STARTED, PROGRESS, HEARTBEAT = "lab.started", "lab.progress", "lab.heartbeat"
ROWS, LOG, CALIBRATED = "lab.rows", "lab.log", "lab.calibrated"
PREVIEW, PING = "qpu.preview", "qpu.ping"
PREPARE, ABORT, RECALL, DRAIN = "qpu.prepare", "qpu.abort", "qpu.recall", "qpu.drain"
LAB_BYE, QPU_BYE = "lab.bye", "qpu.bye"
"""Of a WebSocket its own end is the bye, with this reason."""
ADVERTISED = "bus.ad"
"""On a WebSocket: what a driver says of itself to those who look who is there."""


# What a frame may say. A frame that breaks a bound is a `bad_frame`; the lab does nothing of what it says.
JobId = Annotated[str, Meta(min_length=1, max_length=128, pattern=rf"^[A-Za-z0-9_-]+{END}")]
Attempt = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Epoch = Annotated[int, Meta(ge=0, le=2**53)]
Seconds = Annotated[float, Meta(ge=0.0, le=MAX_SECONDS)]
Named = Annotated[str, Meta(max_length=MAX_TEXT, pattern=PRINTABLE)]
Dropped = Annotated[int, Meta(ge=0, le=10**9)]


class Frame(Struct, kw_only=True, omit_defaults=True):
    """A body on the link. Unknown fields are ignored, so that a newer peer may say more."""


class ProgramRef(Frame):
    """A program: its sources inline, or, without any, to be fetched packed from ``GET programs/{sha256}``."""

    format: str
    sha256: str
    options: OptionsIn
    sources: list[bytes] = []

    def to_program(self) -> Program:
        """What an executor runs; the sources are here."""
        return Program(format=self.format, sources=tuple(self.sources), options=options_from(self.options))


def fits(options: bytes, limit: int) -> bool:
    """Whether a job with these ``options`` can be sent to who takes frames of ``limit`` bytes."""
    return len(options) + _REST_BYTES <= limit


def inline_limit(options: bytes, limit: int = MAX_FRAME_BYTES) -> int:
    """How many bytes of program still fit into such a frame beside ``options``."""
    room = (limit - _REST_BYTES - len(options)) * 3 // 4  # base64
    return min(INLINE_PROGRAM_BYTES, room)


class Abort(Frame):
    """The attempt that an abort, or a recall, is about."""

    job_id: JobId
    attempt: Attempt


class Subject(Abort):
    """The attempt that a driver speaks of; of a `Report` that cannot be read, what can be."""

    epoch: Epoch


class Held(Abort):
    """One attempt that the driver has: staged, running, or measured and not yet delivered."""

    phase: Named = "running"


class Hello(Frame):
    """``instance`` is made anew by every driver process; ``held`` lists every attempt it can still deliver.

    ``wire`` is the sender's `WIRE_VERSION`: always said, since a default would be filled in by the reader.
    """

    name: Named
    version: Named
    instance: Named
    places: Annotated[int, Meta(ge=0, le=MAX_PLACES)]
    manifest: Manifest
    wire: Annotated[int, Meta(ge=0, le=10_000)]
    host: Annotated[str, Meta(max_length=255, pattern=PRINTABLE)] = ""
    monitor: bool = False
    draining: bool = False
    allow_simulator: bool = False
    """A simulator may answer for a device."""
    memory_cap_bytes: Annotated[int, Meta(ge=1, le=MAX_ESTIMATE_BYTES)] | None = None
    job_timeout_s: Annotated[float, Meta(gt=0.0, le=MAX_SECONDS)] | None = None
    held: Annotated[list[Held], Meta(max_length=MAX_HELD)] = []
    max_frame_bytes: Annotated[int, Meta(ge=64 << 10, le=1 << 30)] = OLD_FRAME_BYTES
    """What is longer is not sent to it."""
    pings: bool = False
    """It answers to `PING`."""


class Welcome(Frame):
    """``drop`` lists held attempts that are no longer wanted; their files may be archived."""

    qpu: str
    epoch: int
    lease_s: float
    heartbeat_s: float
    reask_s: float
    drop: list[Held] = []


class Claim(Frame):
    """A free place asks for a job. ``free`` says how many more the driver could take."""

    epoch: Epoch
    free: Annotated[int, Meta(ge=0, le=2 * MAX_PLACES)] = 1


class Assignment(Frame):
    """A job for the driver, or none (``job_id`` empty): ask again."""

    job_id: str = ""
    attempt: int = 0
    program: ProgramRef | None = None
    estimate_s: float | None = None
    upper_s: float | None = None
    timeout_s: float | None = None
    calibration: str = ""
    """The id of the only calibration that it may run on; empty: any."""


class Started(Subject):
    at: datetime


class Progress(Subject):
    """``fraction`` from 0 to 1."""

    fraction: Annotated[float, Meta(ge=0.0, le=1.0)]


class RowChunk(Frame):
    """Some circuits of a result before all are measured: where they are in it, and the deflated blob of their Datasets
    in that order (`qpi_jupyter.data.codec`)."""

    rows: Annotated[list[Annotated[int, Meta(ge=0, lt=MAX_CIRCUITS)]], Meta(min_length=1, max_length=MAX_CIRCUITS)]
    data: Annotated[bytes, Meta(min_length=1, max_length=ROWS_BYTES)]


class Rows(Subject):
    """What is measured of a running attempt: the chunks after the first ``after``, and what is drawn of all rows."""

    after: Annotated[int, Meta(ge=0, le=MAX_CIRCUITS)]
    chunks: Annotated[list[RowChunk], Meta(max_length=MAX_CIRCUITS)]
    measured: Annotated[int, Meta(ge=0, le=MAX_CIRCUITS)]
    """How many rows there are, those included whose data are in no chunk."""
    drawings: Annotated[list[dict[str, Any]], Meta(max_length=MAX_DRAWINGS)] = []


class RowsTaken(Frame):
    """How many chunks the lab has; not ``wanted``: it takes no more of this attempt."""

    have: int
    wanted: bool = True


class Reading(Frame):
    """One telemetry value, measured now. ``channel`` names it (``mxc/temperature``); None: it could not be read."""

    channel: Annotated[str, Meta(min_length=1, max_length=128, pattern=PRINTABLE)]
    value: Annotated[float, Meta(ge=-1e30, le=1e30)] | None
    unit: Annotated[str, Meta(max_length=16, pattern=PRINTABLE)] = ""


class Heartbeat(Frame):
    """Extends the driver's lease. ``held`` lets the lab see attempts that it must abort."""

    epoch: Epoch
    held: Annotated[list[Held], Meta(max_length=MAX_HELD)] = []
    readings: Annotated[list[Reading], Meta(max_length=MAX_READINGS)] = []


class LogLine(Frame):
    """One line of the driver's own log; ``dropped`` lines before it were left out."""

    at: datetime
    level: LogLevel
    logger: Annotated[str, Meta(max_length=MAX_LOG_NAME)]
    message: Annotated[str, Meta(max_length=MAX_LOG_MESSAGE)]
    dropped: Dropped = 0


class Log(Frame):
    """What the driver logged since it last said so. A driver may never send one, and what a broken link swallows is
    not sent again."""

    epoch: Epoch
    lines: Annotated[list[LogLine], Meta(max_length=MAX_LOG_LINES)]


class Calibrated(Frame):
    """The driver's next run is measured with these values: they replace those of its `Hello`."""

    epoch: Epoch
    calibration: Calibration


class Report(Subject):
    """What became of an attempt without a result.

    ``outcome`` is ``released`` (never ran), ``errored`` (the program is at fault), ``interrupted`` (the bench is) or
    ``aborted`` (stopped as asked).
    """

    outcome: Literal["released", "errored", "interrupted", "aborted"]
    busy_s: Seconds = 0.0
    error: dict[str, Any] | None = None
    """Read with `QpiError.from_bench`."""


class Reported(Frame):
    accepted: bool


class Prepare(Frame):
    """Check a program without opening an instrument. ``key`` is for the driver's cache; ``person`` stands for whoever
    asks, so that people take turns. ``compile_seed``: compile it as well, for the present calibration, with this seed;
    a driver from before there were plans only checks it."""

    key: str
    program: ProgramRef
    person: str = ""
    compile_seed: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None


class Prepared(Frame):
    """The estimate, or the error that the submitter gets if it is the program's; any other one means that nothing was
    found out. ``compiled``: what compiling it came to, where that was asked for."""

    estimate: Estimate | None = None
    error: dict[str, Any] | None = None
    compiled: Compiled | None = None


class Previewed(Frame):
    """What the program becomes, or the error, as in `Prepared`."""

    preview: Preview | None = None
    error: dict[str, Any] | None = None


class Bye(Frame):
    """The end of a link, and why."""

    reason: str = ""
