"""The native REST surface under ``<base_url>qpi/v1/``: one struct a body.

Requests refuse fields they do not know; answers may grow. Times are RFC 3339 in UTC, durations float seconds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from qpi_jupyter.core import BUILT_IN, MAX_AXES, MAX_CIRCUITS, Manifest, Program, Rejected, RunOptions, TooLarge
from qpi_jupyter.core.bounds import MAX_TEXT

from .validation import END, EXECUTOR, FORMAT, LINE, NAME, PRINTABLE, Timed, not_json, refused

Status = Literal["pending", "running", "completed", "failed", "cancelled"]
Phase = Literal["blocked", "queued", "assigned", "running", "lost", "cancelling", "completed", "failed", "cancelled"]
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=NAME)]
Label = Annotated[str, LINE]
OptionName = Annotated[str, Meta(pattern=rf"^[a-z][a-z0-9_]{{0,63}}{END}")]
FormatName = Annotated[str, Meta(min_length=1, max_length=64, pattern=FORMAT)]
Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""A number that a database can keep."""
Tags = Annotated[list[Annotated[str, Meta(min_length=1, max_length=64, pattern=PRINTABLE)]], Meta(max_length=32)]


class Request(Timed, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A body that a client sends."""


class Answer(Struct, kw_only=True):
    """A body that the lab sends."""


class SweepAxisIn(Request):
    """One axis of a sweep: the parameters that change along it, together, and their units by name."""

    parameters: Annotated[list[Annotated[str, Meta(max_length=MAX_TEXT)]], Meta(max_length=MAX_CIRCUITS)]
    length: Annotated[int, Meta(ge=1, le=MAX_CIRCUITS)]
    units: dict[str, Annotated[str, Meta(max_length=64)]] = {}


class CircuitIn(Request):
    """What one circuit of a batch overrides; ``axes`` says which grid its rows are, the last axis running fastest."""

    shots: Whole | None = None
    parameter_values: list[list[float]] = []
    axes: Annotated[list[SweepAxisIn], Meta(max_length=MAX_AXES)] = []


class OptionsIn(Request):
    """Run options, by Qiskit's names; ``extra`` goes to the executor."""

    shots: Whole = 1024
    seed_simulator: Whole | None = None
    meas_level: Whole = 2
    meas_return: Label = "single"
    memory: bool = True
    circuits: list[CircuitIn] = []
    extra: dict[str, Any] = {}


class ProgramIn(Request):
    """What to run, in a format that a manifest lists: ``sources`` of a text format, or ``data`` (base64) of any."""

    format: FormatName
    sources: list[str] = []
    data: list[bytes] = []


class JobError(Answer):
    """Why a job failed; ``line`` and ``column`` (from 1) are in ``data`` for a bad circuit."""

    kind: str
    code: str
    message: str
    data: dict[str, Any] = {}


class QpuSession(Answer):
    """Who holds a QPU for a low-latency loop. It ends at ``until`` at the latest, and earlier when nobody renews it.

    ``holder`` is null where the lab keeps that private.
    """

    holder: str | None
    mine: bool
    opened_at: datetime
    until: datetime


QpuStatusWord = Literal["online", "offline", "held", "maintenance", "disabled"]


class QpuModel(Answer):
    """One QPU in a list.

    ``reason`` is why it is not online, where somebody said so, and ``until_at`` until when, where that is known. All
    jobs that have not ended count: ``running`` are those with the public status running, ``queued`` the pending ones.
    """

    name: str
    kind: Literal["device", "pool"]
    status: QpuStatusWord
    simulator: bool
    executor: str
    num_qubits: int
    places: int
    queued: int
    running: int
    description: str = ""
    reason: str = ""
    until_at: datetime | None = None
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


class Services(Answer):
    database: Literal["up", "down"]
    bus: Literal["up", "down"]


class Health(Answer):
    """Without sign-in: only the status. ``owner`` and ``drivers`` are for a signed-in person.

    ``degraded``: the lab is open and cannot store anything. ``down``: it is not open. ``error`` says why, and what to
    do.
    """

    status: Literal["up", "degraded", "down"]
    services: Services
    version: str
    wire: int
    owner: dict[str, Any] | UnsetType = UNSET
    drivers: list[dict[str, Any]] | UnsetType = UNSET
    error: JobError | UnsetType = UNSET


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
    num_qubits: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    """What is shown until its driver reports how many there are."""


class DriverIn(Request):
    """``POST drivers``: register a driver of a QPU; the answer shows its token once."""

    name: Name
    qpu: Label
    monitor: bool = False
    executor: Annotated[str, Meta(max_length=200, pattern=EXECUTOR)] = ""
    """What the command in the answer starts: an installed executor or module:Class. Empty: its place is marked."""
    options: dict[OptionName, Any] = {}
    """Options of the executor, as it declares them."""
    python: Annotated[str, Meta(max_length=500, pattern=PRINTABLE)] = ""
    """The interpreter, on the driver's machine, of the environment that it is installed in; default: the server's."""
    allow_simulator: bool = False
    """A simulator may answer for the QPU although that is a device."""


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
    scopes: Annotated[list[Literal["read", "submit", "manage", "drive"]], Meta(max_length=16)] | None = None
    owner: Label | None = None


class TokenCreated(Answer):
    id: str
    name: str
    token: str
    expires_at: datetime | None = None
    scopes: list[str] | None = None


def options_from(options: OptionsIn) -> RunOptions:
    """The core's noun of the run options."""
    return msgspec.convert(options, RunOptions, from_attributes=True)


def program_from(given: ProgramIn, options: OptionsIn) -> Program:
    """The core's noun of a program.

    Raises
    ------
    Rejected
        ``data`` beside ``sources``, or ``sources`` of a format that is no text.
    """
    name, texts, data = given.format, given.sources, given.data
    known = BUILT_IN.get(name)
    if texts and known is not None and not known.text:
        raise Rejected(f"{name} programs come as data (base64).", code="bad_program", field="program")
    if texts and data:
        message = "A program has sources (text) or data (base64), not both."
        raise Rejected(message, code="bad_program", field="program")
    sources = tuple(data) if data else tuple(text.encode() for text in texts)
    return Program(format=name, sources=sources, options=options_from(options))


T = TypeVar("T")

MAX_BODY_BYTES = 24 << 20
"""A JSON body: 16 MiB of program in base64, and room for the rest."""


def decode(body: bytes, kind: type[T]) -> T:
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
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise refused(error, kind, code="bad_request") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise not_json(error) from error
