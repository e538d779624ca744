"""Jobs as people, clients and events say them: the bodies of ``jobs``, and what the events of a job hold.

A label of a job (`JobLabels`) is declared here for all of them: what is sent, shown, changed, looked for and told.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from qpi_jupyter.core import Program

from .accounts import LedgerLine
from .frames import RowChunk
from .rest import (
    Answer,
    JobError,
    Label,
    OptionsIn,
    Phase,
    ProgramIn,
    Request,
    Status,
    Tags,
    Whole,
    program_from,
)


class JobLabels(Struct, kw_only=True):
    """What people say of a job, for their own order and for others; they may change it at any time."""

    name: Label = ""
    tags: Tags = []
    project: Label = ""
    shared_with: Label | None = None
    """A group of one's own that may see the job."""


LABELS = JobLabels.__struct_fields__
TEXT_LABELS = {"project": "what it belongs to"}
"""Those that are plain text, which `JobFilters` finds when it is equal; and what each says."""


class JobChange(Request):
    """``PATCH jobs/{id}``; what is left out stays. ``shared_with: null`` makes the job private."""

    name: Label | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    project: Label | UnsetType = UNSET
    shared_with: Label | UnsetType | None = UNSET


class JobFilters(Struct, kw_only=True):
    """Which jobs a list has: ``name`` is a part of it, in any case; all of ``tag``; ``group`` is whom they are shared
    with, ``cell`` the notebook cell that submitted them. Each word of ``text`` is in the id, the name, a tag, the
    project, the owner, the QPU or the calibration, in any case; a whole id finds that job alone. Without ``mine``,
    ``owner``, ``group`` and ``id``: one's own."""

    mine: bool | None = None
    id: Annotated[list[Label], Meta(max_length=100)] = []
    """One of them."""
    text: Label = ""
    name: Label = ""
    tag: Annotated[list[Label], Meta(max_length=32)] = []
    project: Label | None = None
    group: Label | None = None
    owner: Label | None = None
    qpu: Label | None = None
    status: Status | None = None
    calibration: Label | None = None
    """The id of the one that they were measured with."""
    cell: Label | None = None
    submitted_after: datetime | None = None
    submitted_before: datetime | None = None


RuntimeCost = Annotated[int, Meta(ge=1, le=2**31 - 1)]


class RuntimeOrigin(Request):
    """What a client of IBM Quantum asked for; ``cost`` is the longest that it may take (s). Of a ``private`` job the
    inputs do not come back, and its result does once. ``not_applied`` are its runtime options that change nothing."""

    backend: Label
    session_id: Label | None = None
    cost: RuntimeCost | None = None
    private: bool = False
    not_applied: Annotated[list[Label], Meta(max_length=8)] = []


class OriginIn(Request):
    """The notebook cell that a job came from, or what a client of IBM Quantum asked for."""

    notebook: Annotated[str, Meta(max_length=4096)] | None = None
    cell_id: Label | None = None
    kernel_id: Label | None = None
    execution_count: Whole | None = None
    source_sha256: Label | None = None
    runtime: RuntimeOrigin | None = None


class SubmitRequest(JobLabels, Request):
    """``POST jobs``. Without ``qpu`` an online simulator that fits is taken; a priority over 0 is for managers."""

    program: ProgramIn
    options: OptionsIn = msgspec.field(default_factory=OptionsIn)
    qpu: Label | None = None
    priority: Annotated[int, Meta(ge=-10, le=10)] = 0
    retry_safe: bool = False
    group: Label | None = None
    """The group whose account pays; None: one's own."""
    origin: OriginIn = msgspec.field(default_factory=OriginIn)
    calibration: Label | None = None
    """The id of the only calibration of ``qpu`` that it may run on; it is refused where that is not the present one."""
    after: Annotated[list[Label], Meta(max_length=100)] = []
    """Jobs of one's own that have to complete first: it waits for them, and fails or is cancelled with them."""
    children: Annotated[list[Label], Meta(max_length=1_000)] = []
    """The same of jobs that are a part of this one: they are cancelled with it."""

    def to_program(self) -> Program:
        """The core's noun; as `program_from`."""
        return program_from(self.program, self.options)


class WaitReason(Answer):
    """What a waiting job waits for. ``until_at`` is when that ends, where it is known: a booking, a maintenance."""

    rule: str
    message: str
    position: int | None = None
    since_at: datetime | None = None
    until_at: datetime | None = None


class Eta(Answer):
    """When a waiting job is likely to start, or a running one to end.

    ``known`` is false while nothing can be promised: the QPU has no history yet, is not open, or the job waits for
    others. Else the truth lies between ``earliest_at`` and ``latest_at`` in about four of five cases. ``error_s`` is
    how far off such predictions were on this QPU lately (mean absolute error, seconds).
    """

    of: Literal["start", "end"]
    known: bool
    earliest_at: datetime | None = None
    likely_at: datetime | None = None
    latest_at: datetime | None = None
    error_s: float | None = None


class DatasetInfo(Answer):
    """The stored dataset: its size in bytes and its SHA-256."""

    sha256: str
    bytes: int


class JobModel(JobLabels, Answer):
    """One job, as its owner sees it. ``version`` grows with every change, progress included."""

    id: str
    version: int
    owner: str
    status: Status
    phase: Phase
    qpu: str | None
    """For a plan, the first of ``qpus``."""
    priority: int
    attempt: int
    checked: bool
    progress: float
    format: str
    num_circuits: int
    shots: int
    submitted_at: datetime
    rows: int = 0
    """How many rows of a running job can be looked at (``GET jobs/{id}/partial``)."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    estimate_s: float | None = None
    upper_s: float | None = None
    busy_s: float | None = None
    reason: WaitReason | None = None
    eta: Eta | None = None
    error: JobError | None = None
    dataset: DatasetInfo | None = None
    origin: dict[str, Any] = {}
    retry_safe: bool = False
    account: str = ""
    """Who pays: a person, or ``group:`` and a group."""
    family: str | None = None
    """What it shares with the jobs that it waits for and those that wait for it (``GET jobs/{id}/family``)."""
    parent: str | None = None
    """The job whose child it is."""
    qpus: list[str] = []
    """Those of its fragments, where it runs a plan."""
    calibration: str | None = None
    """The id of the only calibration that it may run on."""
    calibration_id: str | None = None
    """The id of the one that its result was measured with."""
    counts: list[dict[str, int]] | None = None
    """Sparse counts per circuit of a completed job, keyed as Qiskit keys them, where they are few enough."""


class PartialResult(Answer):
    """What is measured of a running attempt: ``measured`` rows of ``circuits`` (null: not known). ``version`` is
    another whenever there is more, or another attempt.

    ``chunks`` are those after the ones that were asked for, as many as fit into an answer, of ``have`` in all: the
    deflated blobs of some rows each. They go when the attempt ends: with a result, or with nothing.
    """

    status: Status
    attempt: int
    version: int
    measured: int
    circuits: int | None
    drawings: list[dict[str, Any]]
    have: int
    chunks: list[RowChunk] = []


class FamilyJob(Answer):
    """One job of a family; ``after`` are the ids that it waits for, or waited for, its children among them."""

    id: str
    name: str
    qpu: str | None
    status: Status
    phase: Phase
    parent: str | None
    after: list[str]


class FamilyModel(Answer):
    """The jobs that hang together because one waits for the other, oldest first, as far as one may see them.

    ``cost_s`` is what all of them used so far and what is reserved for those that have not ended (QPU-seconds); null
    where it is somebody else's.
    """

    jobs: list[FamilyJob]
    cost_s: float | None


class JobProvenance(Answer):
    """What is needed to run a job again: its options, the digest of its program and, once it has a result, what the
    driver says of how that came about. ``not_applied`` are options of IBM's client that were set and change nothing:
    those of its primitives are known with the result."""

    program_sha256: str
    options: OptionsIn
    result: dict[str, Any] | None = None
    not_applied: list[str] = []


class CircuitText(Answer):
    """One program as people read it, or why it has no text."""

    text: str | None
    name: str = ""
    problem: str = ""


class ProgramText(Answer):
    """A program to be read: its first circuits, of ``total``. What was QPY is written as OpenQASM 3.

    ``as_sent``: these texts are what was sent. ``language`` is their MIME type, where one is known, and ``suffix`` that
    of a file of what was sent.
    """

    circuits: list[CircuitText]
    total: int
    problem: str = ""
    """Why there is none."""
    as_sent: bool = False
    language: str = ""
    suffix: str = ".bin"


class JobPage(Answer):
    """Newest first; ``next`` goes into ``?after=`` for the page that follows. A page may be shorter than was asked
    for, even empty: only without ``next`` it is the last."""

    jobs: list[JobModel]
    next: str | None = None
    total: int | None = None
    """How many there are in all pages, where the lab keeps count: everybody's, or one person's."""


class JobData(Answer):
    """What a row of a list shows of a job, what it cost and, in the events of one job, who had the attempt."""

    status: Status
    phase: Phase
    attempt: int
    version: int
    checked: bool = True
    progress: float = 0.0
    rows: int | UnsetType = UNSET
    """How many rows of a running job can be looked at (``GET jobs/{id}/partial``)."""
    name: str = ""
    owner: str = ""
    driver: str | UnsetType = UNSET
    ledger: list[LedgerLine] | UnsetType = UNSET
    error: JobError | UnsetType = UNSET
    driver_name: str | UnsetType = UNSET
    family: str | UnsetType = UNSET
    waits_for: int | UnsetType = UNSET
    """How many jobs have to complete first."""


class JobEditData(JobData, kw_only=True):
    """``changed`` names the fields that were edited; their new values are here, too."""

    by: str = ""
    changed: list[Literal["name", "tags", "project", "shared_with"]] = []
    tags: list[str] | UnsetType = UNSET
    project: str | UnsetType = UNSET
    shared_with: str | UnsetType | None = UNSET


class JobDeletionData(JobData, kw_only=True):
    """A job as it was last."""

    by: str = ""
