"""The lab's events: one struct a kind, told apart by ``kind``, and how a row or a page of them is read.

Who does not know a kind, or cannot read its data, still gets the event: as `OtherEvent`. So neither a newer lab nor a
damaged row breaks a reader.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import msgspec
from msgspec import UNSET, UnsetType

from qpi_jupyter.core.plans import ReservationState
from qpi_jupyter.core.trust import TrustTier

from .accounts import LedgerLine as LedgerLine
from .accounts import RequestStatus
from .bookings import BookingFacts
from .jobs import JobData, JobDeletionData, JobEditData
from .people import AuditData as AuditData
from .rest import Answer, QpuStatusWord

JUPYTER_SCHEMA_ID = "https://schema.qpi-jupyter.org/lab/v1"


class Event(Answer, kw_only=True):
    """One fact. ``seq`` is the database's own; ``prev`` is the reader's last before it, so that a gap shows."""

    seq: int = 0
    prev: int = 0
    at: datetime
    job_id: str | None = None
    qpu: str | None = None


class _Known(Event, tag_field="kind"):
    @property
    def kind(self) -> str:
        return str(self.__struct_config__.tag)


# --- jobs -------------------------------------------------------------------------------------------------------------


class _QpuEvent(_Known, kw_only=True):
    qpu: str


class _JobEvent(_Known, kw_only=True):
    job_id: str
    data: JobData


class JobSubmitted(_JobEvent, kw_only=True, tag="job.submitted"):
    """A job is in the queue. Seen by its owner."""


class JobChecked(_JobEvent, kw_only=True, tag="job.checked"):
    """A job that was submitted unchecked may run. Seen by its owner."""


class JobChanged(_JobEvent, kw_only=True, tag="job.changed"):
    """A job was assigned, began, was lost, waits again or ended. Seen by its owner."""


class JobProgress(_JobEvent, kw_only=True, tag="job.progress"):
    """A running job is further. Seen by its owner."""


class JobEdited(_JobEvent, kw_only=True, tag="job.edited"):
    """A job has another name, tags, project or group that sees it. Seen by its owner."""

    data: JobEditData


class JobDeleted(_JobEvent, kw_only=True, tag="job.deleted"):
    """A job that had ended is gone. Seen by its owner."""

    data: JobDeletionData


class ReservationData(Answer):
    """``fragment`` of the plan has the job ``child_id``; ``reason`` says why a place was refused, expired or is not
    needed any more."""

    id: str
    state: ReservationState
    fragment: int
    child_id: str
    reason: str = ""


class ReservationChanged(_QpuEvent, kw_only=True, tag="reservation.changed"):
    """A plan's fragment was given a place on a QPU, or lost it; ``job_id`` is the plan's job. Seen by its owner."""

    job_id: str
    data: ReservationData


# --- QPUs and drivers -------------------------------------------------------------------------------------------------


class QpuData(Answer):
    """``by`` is there where somebody switched it, ``trust`` where somebody asked for it or decided about it."""

    status: Literal[QpuStatusWord, "deleted"]
    reason: str | UnsetType = UNSET
    until_at: datetime | UnsetType | None = UNSET
    hold: str | UnsetType | None = UNSET
    by: str | UnsetType = UNSET
    trust: TrustTier | UnsetType = UNSET


class QpuChanged(_QpuEvent, kw_only=True, tag="qpu.changed"):
    """A QPU is new, came, went, was switched or deleted. Seen by everybody."""

    data: QpuData


class CalibrationData(Answer):
    """The id of the calibration that it has now."""

    calibration_id: str


class QpuCalibrated(_QpuEvent, kw_only=True, tag="qpu.calibrated"):
    """A QPU has another calibration: what is measured from now on is measured with it. Seen by everybody."""

    data: CalibrationData


DriverAction: TypeAlias = Literal[
    "registered",
    "renewed",
    "revoked",
    "enabled",
    "disabled",
    "drained",
    "started",
    "stopped",
    "linked",
    "unlinked",
    "refused",
]


class DriverData(Answer):
    """``started`` and ``stopped`` are of simulators that the lab's server runs; ``by`` is empty for the lab itself."""

    driver: str
    action: DriverAction
    by: str = ""


class DriverChanged(_QpuEvent, kw_only=True, tag="driver.changed"):
    """A driver was registered, switched, drained, revoked, came, went or was refused. Seen by managers."""

    data: DriverData


class DriverLogData(Answer):
    """The driver's name."""

    driver: str


class DriverLogged(_QpuEvent, kw_only=True, tag="driver.logged"):
    """A driver has written into its log. Seen by managers."""

    data: DriverLogData


# --- bookings and sessions --------------------------------------------------------------------------------------------


BookingAction: TypeAlias = Literal["created", "changed", "released", "deleted", "no_show"]
RuleAction: TypeAlias = Literal["set", "deleted"]


class BookingOutline(BookingFacts, kw_only=True):
    """A booking before or after a change; who it is of is there where the lab shows it to everybody."""

    booked_by: str | UnsetType = UNSET
    title: str | UnsetType = UNSET
    invited: list[str] | UnsetType = UNSET


class BookingData(Answer):
    """``before`` is null for a new booking; ``by`` is null where the lab does not show people, empty for the lab."""

    booking_id: str
    action: BookingAction
    by: str | None
    before: BookingOutline | None
    after: BookingOutline


class BookingChanged(_QpuEvent, kw_only=True, tag="booking.changed"):
    """A booking was made, moved, released, deleted or given back. Seen by everybody."""

    data: BookingData


class BookingRuleData(Answer):
    """``qpu`` of the event and ``group`` say for what the rule is; null is for all."""

    id: str
    action: RuleAction
    group: str | None = None


class BookingRuleChanged(_Known, kw_only=True, tag="booking_rule.changed"):
    """A rule that binds bookings was set or taken out. Seen by everybody."""

    data: BookingRuleData


class SessionData(Answer):
    """``holder`` and ``reason`` are there where the lab shows to everybody who has booked."""

    action: Literal["opened", "closed"]
    session_id: str
    holder: str | UnsetType = UNSET
    reason: str | UnsetType | None = UNSET


class SessionChanged(_QpuEvent, kw_only=True, tag="session.changed"):
    """Somebody holds a QPU, or lets go of it. Seen by everybody."""

    data: SessionData


# --- QPU time ---------------------------------------------------------------------------------------------------------


class BalanceData(LedgerLine, kw_only=True):
    """The line of the ledger, and what is left after it."""

    balance_s: float
    reason: str = ""
    by: str = ""


class BalanceChanged(_Known, kw_only=True, tag="balance.changed"):
    """A grant, or what a session cost; what a job costs is in its own events. Seen by the account's people."""

    data: BalanceData


class AccountData(Answer):
    """``limited`` is null where the lab's configuration says it."""

    account: str
    limited: bool | None
    by: str


class AccountChanged(_Known, kw_only=True, tag="account.changed"):
    """An account was made limited or unlimited. Seen by the account's people."""

    data: AccountData


class TimeRequestData(Answer):
    id: str
    account: str
    person: str
    seconds: float
    status: RequestStatus
    granted_s: float | None
    by: str


class TimeRequestChanged(_Known, kw_only=True, tag="time_request.changed"):
    """Somebody asks for QPU time, or was answered. Seen by that person."""

    data: TimeRequestData


# --- people -----------------------------------------------------------------------------------------------------------


class NoticeData(Answer):
    id: str
    action: Literal["created", "changed", "deleted", "begun", "dismissed"]


class NoticeChanged(_Known, kw_only=True, tag="notice.changed"):
    """A notice was made, changed or taken back, its time has begun, or one has dismissed it. Seen by its readers."""

    data: NoticeData


class PersonData(Answer):
    name: str
    by: str


class PersonChanged(_Known, kw_only=True, tag="person.changed"):
    """A person is new, or has other names, roles, groups or rights. Seen by that person."""

    data: PersonData


class GroupData(Answer):
    name: str
    action: Literal["created", "changed", "deleted"]
    by: str


class GroupChanged(_Known, kw_only=True, tag="group.changed"):
    """A group is new, has other members or another description, or is gone. Seen by managers."""

    data: GroupData


class TokenData(Answer):
    id: str
    action: Literal["created", "changed", "revoked"]
    by: str


class TokenChanged(_Known, kw_only=True, tag="token.changed"):
    """An API token was made, renamed, prolonged or revoked. Seen by whose it is."""

    data: TokenData


# --- for managers -----------------------------------------------------------------------------------------------------


class AuditWritten(_Known, kw_only=True, tag="audit.written"):
    """The audit log has a new line. Seen by managers."""

    data: AuditData


class ReplayData(Answer):
    """``progress`` goes from 0 to 1."""

    state: Literal["running", "done", "failed", "cancelled"]
    progress: float


class ReplayChanged(_Known, kw_only=True, tag="replay.changed"):
    """A replay of the past begins, goes on or ends. Seen by who started it."""

    data: ReplayData


# --- reading ----------------------------------------------------------------------------------------------------------


class OtherEvent(Event, kw_only=True):
    """An event of a kind that this version does not know, or whose data it cannot read."""

    kind: str
    data: Any = {}


_KnownEvent: TypeAlias = (
    JobSubmitted
    | JobChecked
    | JobChanged
    | JobProgress
    | JobEdited
    | JobDeleted
    | ReservationChanged
    | QpuChanged
    | QpuCalibrated
    | DriverChanged
    | DriverLogged
    | BookingChanged
    | BookingRuleChanged
    | SessionChanged
    | BalanceChanged
    | AccountChanged
    | TimeRequestChanged
    | NoticeChanged
    | PersonChanged
    | GroupChanged
    | TokenChanged
    | AuditWritten
    | ReplayChanged
)
KINDS: Mapping[str, type[_Known]] = {kind.__struct_config__.tag: kind for kind in get_args(_KnownEvent)}

if TYPE_CHECKING:
    LabEvent: TypeAlias = _KnownEvent | OtherEvent
else:  # what is documented: those that have a tag
    LabEvent = _KnownEvent


class EventPage(Answer):
    """``cursor`` goes into ``?after=``; it moves even where every event in between was somebody else's."""

    events: list[LabEvent]
    cursor: int


class UnreadEventPage(Answer):
    """An `EventPage` from a lab that may know more kinds than we do."""

    events: list[dict[str, Any]]  # Any: JSON
    cursor: int

    def read(self) -> EventPage:
        return EventPage(events=[read_event(raw) for raw in self.events], cursor=self.cursor)


def read_event(raw: Mapping[str, Any]) -> LabEvent:
    """The event that a JSON object or a row (``seq prev at kind job_id qpu data``) says."""
    try:
        return msgspec.convert(raw, KINDS[raw["kind"]])  # type: ignore[return-value]  # each of them is a LabEvent
    except (KeyError, msgspec.ValidationError):
        return msgspec.convert(raw, OtherEvent)


def row_of(event: LabEvent) -> dict[str, Any]:
    """What is stored of an event, by column; whose it is the writer says, and its ``seq`` the database."""
    return {
        "at": event.at,
        "kind": event.kind,
        "job_id": event.job_id,
        "qpu": event.qpu,
        "booking_id": event.data.booking_id if isinstance(event, BookingChanged) else None,
        "data": event.data,
    }
