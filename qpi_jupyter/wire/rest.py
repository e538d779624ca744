"""The native REST surface under ``<base_url>qpi/v1/``: one struct a body.

Requests refuse fields they do not know; answers may grow. Times are RFC 3339 in UTC, durations float seconds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from qpi_jupyter.core.errors import Rejected, TooLarge
from qpi_jupyter.core.manifest import Manifest
from qpi_jupyter.core.programs import CircuitOptions, Program, ProgramFormat, RunOptions

Status = Literal["pending", "running", "completed", "failed", "cancelled"]
Phase = Literal["queued", "assigned", "running", "lost", "cancelling", "completed", "failed", "cancelled"]
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]

PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
Label = Annotated[str, Meta(max_length=200, pattern=PRINTABLE)]
Tags = Annotated[list[Annotated[str, Meta(min_length=1, max_length=64, pattern=PRINTABLE)]], Meta(max_length=32)]


class Request(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A body that a client sends."""


class Answer(Struct, kw_only=True):
    """A body that the lab sends."""


class CircuitIn(Request):
    """What one circuit of a batch overrides."""

    shots: int | None = None
    parameter_values: list[list[float]] = []


class OptionsIn(Request):
    """Run options, by Qiskit's names; ``extra`` goes to the executor."""

    shots: int = 1024
    seed_simulator: int | None = None
    meas_level: int = 2
    meas_return: str = "single"
    memory: bool = True
    circuits: list[CircuitIn] = []
    extra: dict[str, Any] = {}


class ProgramIn(Request):
    """What to run. Text formats use ``sources``, one circuit each; QPY uses ``data`` (base64), one file each."""

    format: ProgramFormat
    sources: list[str] = []
    data: list[bytes] = []


class OriginIn(Request):
    """The notebook cell that a job came from."""

    notebook: str | None = None
    cell_id: str | None = None
    kernel_id: str | None = None
    execution_count: int | None = None
    source_sha256: str | None = None


class SubmitRequest(Request):
    """``POST jobs``. Without ``qpu`` an online simulator that fits is taken; a priority over 0 is for managers."""

    program: ProgramIn
    options: OptionsIn = msgspec.field(default_factory=OptionsIn)
    qpu: str | None = None
    name: Label = ""
    tags: Tags = []
    priority: Annotated[int, Meta(ge=-10, le=10)] = 0
    retry_safe: bool = False
    project: Label = ""
    group: str | None = None
    """The group whose account pays; None: one's own."""
    shared_with: str | None = None
    """A group of one's own that may see the job."""
    origin: OriginIn = msgspec.field(default_factory=OriginIn)

    def to_program(self) -> Program:
        """The core's noun; a text format with ``data`` or QPY with ``sources`` is refused."""
        is_qpy = self.program.format is ProgramFormat.QPY
        if (is_qpy and self.program.sources) or (not is_qpy and self.program.data):
            wanted = "data (base64)" if is_qpy else "sources (text)"
            raise Rejected(f"{self.program.format} programs come as {wanted}.", code="bad_program", field="program")
        sources = self.program.data if is_qpy else [s.encode() for s in self.program.sources]
        return Program(format=self.program.format, sources=tuple(sources), options=options_from(self.options))


class JobError(Answer):
    """Why a job failed; ``line`` and ``column`` (from 1) are in ``data`` for a bad circuit."""

    kind: str
    code: str
    message: str
    data: dict[str, Any] = {}


class WaitReason(Answer):
    """What a waiting job waits for. ``about_at`` is when that is expected to end, where it can be known."""

    rule: str
    message: str
    position: int | None = None
    since_at: datetime | None = None
    about_at: datetime | None = None
    error_s: float | None = None
    """How far off such predictions were on this QPU lately (mean absolute error, seconds)."""


class DatasetInfo(Answer):
    """The stored dataset: its size in bytes and its SHA-256."""

    sha256: str
    bytes: int


class JobModel(Answer):
    """One job, as its owner sees it. ``version`` grows with every change, progress included."""

    id: str
    version: int
    owner: str
    status: Status
    phase: Phase
    qpu: str | None
    name: str
    tags: list[str]
    priority: int
    attempt: int
    checked: bool
    progress: float
    format: ProgramFormat
    num_circuits: int
    shots: int
    submitted_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    estimate_s: float | None = None
    upper_s: float | None = None
    busy_s: float | None = None
    reason: WaitReason | None = None
    error: JobError | None = None
    dataset: DatasetInfo | None = None
    origin: dict[str, Any] = {}
    retry_safe: bool = False
    project: str = ""
    account: str = ""
    """Who pays: a person, or ``group:`` and a group."""
    shared_with: str | None = None
    counts: list[dict[str, int]] | None = None
    """Sparse counts per circuit of a completed job, keyed as Qiskit keys them, where they are few enough."""


class JobChange(Request):
    """``PATCH jobs/{id}``; what is left out stays. ``shared_with: null`` makes the job private."""

    name: Label | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    project: Label | UnsetType = UNSET
    shared_with: str | UnsetType | None = UNSET


class JobProvenance(Answer):
    """What is needed to run a job again: its options, the digest of its program and, once it has a result, what the
    driver says of how that came about."""

    program_sha256: str
    options: OptionsIn
    result: dict[str, Any] | None = None


class CircuitText(Answer):
    """One circuit as OpenQASM, or why it has no text."""

    text: str | None
    name: str = ""
    problem: str = ""


class ProgramText(Answer):
    """A program to be read: its first circuits, of ``total``. What was QPY is written as OpenQASM 3."""

    circuits: list[CircuitText]
    total: int
    problem: str = ""
    """Why there is none."""


class JobPage(Answer):
    """Newest first; ``next`` goes into ``?after=`` for the page that follows. A page may be shorter than was asked
    for, even empty: only without ``next`` it is the last."""

    jobs: list[JobModel]
    next: str | None = None
    total: int | None = None
    """How many there are in all pages, where the lab keeps count: everybody's, or one person's."""


class QpuSession(Answer):
    """Who holds a QPU for a low-latency loop. It ends at ``until`` at the latest, and earlier when nobody renews it.

    ``holder`` is null where the lab keeps that private.
    """

    holder: str | None
    mine: bool
    opened_at: datetime
    until: datetime


class QpuModel(Answer):
    """One QPU in a list."""

    name: str
    kind: Literal["device", "pool"]
    status: Literal["online", "offline", "maintenance", "disabled"]
    simulator: bool
    executor: str
    num_qubits: int
    places: int
    queued: int
    running: int
    description: str = ""
    hold: str | None = None
    """Why nothing starts there for now."""
    session: QpuSession | None = None


class QpuChange(Request):
    """``PATCH qpus/{name}``; what is left out stays. ``hold`` says why nothing runs; null lets go."""

    enabled: bool | UnsetType = UNSET
    maintenance: bool | UnsetType = UNSET
    hold: Annotated[str, Meta(min_length=1, max_length=200)] | UnsetType | None = UNSET
    description: Annotated[str, Meta(max_length=1000)] | UnsetType = UNSET


class QpuList(Answer):
    qpus: list[QpuModel]


class QpuDetail(QpuModel, kw_only=True):
    """One QPU with its manifest; None until its first driver said hello."""

    manifest: Manifest | None = None


class EventModel(Answer):
    """One fact. ``seq`` is the database's own; ``prev`` is the reader's last before it, so that a gap shows."""

    seq: int
    prev: int
    at: datetime
    kind: str
    job_id: str | None = None
    qpu: str | None = None
    data: dict[str, Any] = {}


class EventPage(Answer):
    """``cursor`` goes into ``?after=``; it moves even where every event in between was somebody else's."""

    events: list[EventModel]
    cursor: int


class Services(Answer):
    database: Literal["up", "down"]
    bus: Literal["up", "down"]


class Health(Answer):
    """Without sign-in: only the status. ``owner`` and ``drivers`` are for a signed-in person."""

    status: Literal["up", "degraded"]
    services: Services
    version: str
    wire: int
    owner: dict[str, Any] | UnsetType = UNSET
    drivers: list[dict[str, Any]] | UnsetType = UNSET


class ErrorBody(Answer):
    """Every error of the native surface: ``{"error": {...}}``."""

    error: JobError


class ResultStored(Answer):
    """The answer to an uploaded result: whether it is the job's result now."""

    accepted: bool
    status: Status


class QpuIn(Request):
    """``POST qpus``: register a QPU."""

    name: Name
    kind: Literal["device", "pool"] = "pool"
    description: Annotated[str, Meta(max_length=1000)] = ""


class DriverIn(Request):
    """``POST drivers``: register a driver of a QPU; the answer shows its token once."""

    name: Name
    qpu: str
    monitor: bool = False


class DriverRegistered(Answer):
    """A driver with a new token, which only this answer shows: the command that starts it, and a systemd unit."""

    id: str
    name: str
    qpu: str
    token: str
    command: str
    unit: str
    ca_fingerprint: str | None = None


class DriverModel(Answer):
    """A registered driver; one that is not enabled is not let in."""

    id: str
    name: str
    qpu: str
    enabled: bool
    online: bool


class TokenIn(Request):
    """``POST tokens``: an API token of one's own; without scopes it may what its owner may.

    ``owner`` is for admins: a person who is a ``service`` and nothing else.
    """

    name: Annotated[str, Meta(max_length=100)] = ""
    expires_at: datetime | None = None
    scopes: list[Literal["read", "submit", "manage", "drive"]] | None = None
    owner: Label | None = None


class TokenCreated(Answer):
    id: str
    name: str
    token: str
    expires_at: datetime | None = None
    scopes: list[str] | None = None


def options_from(options: OptionsIn) -> RunOptions:
    """The core's noun of the run options."""
    circuits = tuple(
        CircuitOptions(shots=c.shots, parameter_values=tuple(tuple(row) for row in c.parameter_values))
        for c in options.circuits
    )
    return RunOptions(
        shots=options.shots,
        seed_simulator=options.seed_simulator,
        meas_level=options.meas_level,
        meas_return=options.meas_return,
        memory=options.memory,
        circuits=circuits,
        extra=options.extra,
    )


T = TypeVar("T")

MAX_BODY_BYTES = 24 << 20
"""A JSON body: 16 MiB of program in base64, and room for the rest."""

_submit = msgspec.json.Decoder(SubmitRequest)


def decode_submit(body: bytes) -> SubmitRequest:
    """The request in ``body``; see `decode` for what is refused."""
    return decode(body, SubmitRequest, decoder=_submit)


def decode(body: bytes, kind: type[T], *, decoder: msgspec.json.Decoder[T] | None = None) -> T:
    """A request body as its struct.

    Raises
    ------
    TooLarge
        over `MAX_BODY_BYTES`.
    Rejected
        not JSON, a field of the wrong type, or an unknown one: the message names the field.
    """
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge(f"The request has {len(body):,} bytes; the limit is {MAX_BODY_BYTES:,}.", code="body_too_large")
    try:
        return decoder.decode(body) if decoder is not None else msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise Rejected(f"The request is not valid: {error}", code="bad_request") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Rejected(f"The request is not JSON: {error}", code="bad_json") from error
