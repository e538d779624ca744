"""What travels on a driver's link.

A driver dials one WebSocket, ``<base_url>qpi/v1/link``, with its token in the ``Authorization`` header. Frames are
JSON texts of at most `MAX_FRAME_BYTES`. Both ends use the bus's verbs (see `peer`)::

    driver -> lab  request  lab.hello      Hello   -> Welcome      first frame, once a connection
                   request  lab.claim      Claim   -> Assignment   parked until there is a job
                   request  lab.report     Report  -> Reported     released, errored, interrupted, aborted
                   publish  lab.started    Started                a simulator tells
                   request  lab.started    Started -> Reported    an instrument asks, and begins once it is on disk
                   publish  lab.progress   Progress
                   publish  lab.heartbeat  Heartbeat
                   publish  lab.log        Log                     after a heartbeat, if there is something to say
    lab -> driver  request  qpu.prepare    Prepare -> Prepared     check a program, estimate it
                   publish  qpu.abort      Abort                   stop an attempt, or drop it if it has not begun
                   publish  qpu.recall     Abort                   give an attempt back if it has not begun
                   publish  qpu.drain      {}                      take no more jobs

Nothing here is needed for correctness to arrive: a lost claim is asked again, a lost abort is repeated at the next
heartbeat's answer, a lost Started is implied by the result. Results do not travel here (see `results`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from qpi_jupyter.core.manifest import Estimate, Manifest
from qpi_jupyter.core.programs import ProgramFormat

from .rest import OptionsIn

MAX_FRAME_BYTES = 256 << 10
INLINE_PROGRAM_BYTES = 64 << 10
"""A program up to this size rides in its frame; a larger one is fetched from ``GET programs/{sha256}``, packed."""
MAX_LOG_LINES, MAX_LOG_MESSAGE, MAX_LOG_NAME = 40, 800, 100
"""Of one `Log`: together within a frame, whatever is written in them."""
LogLevel = Literal["info", "warning", "error", "critical"]

HELLO, CLAIM, REPORT = "lab.hello", "lab.claim", "lab.report"
STARTED, PROGRESS, HEARTBEAT = "lab.started", "lab.progress", "lab.heartbeat"
LOG = "lab.log"
PREPARE, ABORT, RECALL, DRAIN = "qpu.prepare", "qpu.abort", "qpu.recall", "qpu.drain"


class Frame(Struct, kw_only=True, omit_defaults=True):
    """A body on the link. Unknown fields are ignored, so that a newer peer may say more."""


class ProgramRef(Frame):
    """A program: its sources inline, or, without any, to be fetched packed from ``GET programs/{sha256}``."""

    format: ProgramFormat
    sha256: str
    options: OptionsIn
    sources: list[bytes] = []


class Held(Frame):
    """One attempt that the driver has: staged, running, or measured and not yet delivered."""

    job_id: str
    attempt: int
    phase: str = "running"


class Hello(Frame):
    """``instance`` is made anew by every driver process; ``held`` lists every attempt it can still deliver.

    ``wire`` is the sender's `WIRE_VERSION`: always said, since a default would be filled in by the reader.
    """

    name: str
    version: str
    instance: str
    places: int
    manifest: Manifest
    wire: int
    host: str = ""
    monitor: bool = False
    memory_cap_bytes: int | None = None
    job_timeout_s: float | None = None
    held: list[Held] = []


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

    epoch: int
    free: int = 1


class Assignment(Frame):
    """A job for the driver, or none (``job_id`` empty): ask again."""

    job_id: str = ""
    attempt: int = 0
    program: ProgramRef | None = None
    estimate_s: float | None = None
    upper_s: float | None = None
    timeout_s: float | None = None


class Started(Frame):
    epoch: int
    job_id: str
    attempt: int
    at: datetime


class Progress(Frame):
    """``fraction`` from 0 to 1."""

    epoch: int
    job_id: str
    attempt: int
    fraction: float


class Reading(Frame):
    """One telemetry value, measured now. ``channel`` names it (``mxc/temperature``); None: it could not be read."""

    channel: str
    value: float | None
    unit: str = ""


class Heartbeat(Frame):
    """Extends the driver's lease. ``held`` lets the lab see attempts that it must abort."""

    epoch: int
    held: list[Held] = []
    readings: list[Reading] = []


class LogLine(Frame):
    """One line of the driver's own log; ``dropped`` lines before it were left out."""

    at: datetime
    level: LogLevel
    logger: str
    message: str
    dropped: int = 0


class Log(Frame):
    """What the driver logged since it last said so. A driver may never send one, and what a broken link swallows is
    not sent again."""

    epoch: int
    lines: list[LogLine]


class Report(Frame):
    """What became of an attempt without a result.

    ``outcome`` is ``released`` (never ran), ``errored`` (the program is at fault), ``interrupted`` (the bench is) or
    ``aborted`` (stopped as asked).
    """

    epoch: int
    job_id: str
    attempt: int
    outcome: Literal["released", "errored", "interrupted", "aborted"]
    busy_s: float = 0.0
    error: dict[str, Any] | None = None


class Reported(Frame):
    accepted: bool


class Abort(Frame):
    """The attempt that an abort, or a recall, is about."""

    job_id: str
    attempt: int


class Prepare(Frame):
    """Check a program without opening an instrument. ``key`` is for the driver's cache."""

    key: str
    program: ProgramRef


class Prepared(Frame):
    """The estimate, or the error that the submitter gets."""

    estimate: Estimate | None = None
    error: dict[str, Any] | None = None
