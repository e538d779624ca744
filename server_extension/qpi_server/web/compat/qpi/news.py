"""From an event of the lab to the records that it changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qpi_jupyter.core.access import Principal
from qpi_jupyter.core.accounting import GROUP
from qpi_jupyter.core.errors import Forbidden, NotFound
from qpi_jupyter.wire.events import EventName as E
from qpi_jupyter.wire.rest import EventModel

from .base import Record
from .jobs import job_record
from .notices import the_notice
from .qpus import qpu_record
from .slots import slot_records
from .time_requests import request_record
from .users import the_user

if TYPE_CHECKING:
    from qpi_server.service import Lab

Changed = Sequence[tuple[str, str, Record]]
"""Id, action and record of each."""
Loader = Callable[["Lab", Principal, EventModel], Awaitable[Changed]]


@dataclass(frozen=True, slots=True)
class News:
    """One record's change: create, update or delete."""

    collection: str
    id: str
    action: str


async def load(lab: Lab, person: Principal, collection: str, event: EventModel) -> Sequence[tuple[News, Record]]:
    """The records of ``collection`` that the event changed, as ``person`` may see them now."""
    try:
        found = await _LOADERS[collection](lab, person, event)
    except (NotFound, Forbidden):
        return ()
    return [(News(collection, record_id, action), record) for record_id, action, record in found]


def collections_of(kind: str) -> tuple[str, ...]:
    """The collections that an event of this kind is about."""
    return _COLLECTIONS.get(kind, ())


async def _job(lab: Lab, person: Principal, event: EventModel) -> Changed:
    job_id = event.job_id or ""
    if event.kind == E.JOB_DELETED:
        return [(job_id, "delete", {"id": job_id})]
    action = "create" if event.kind == E.JOB_SUBMITTED else "update"
    return [(job_id, action, job_record(await lab.jobs.get(person, job_id)))]


async def _qpu(lab: Lab, person: Principal, event: EventModel) -> Changed:
    name = event.qpu or ""
    return [(name, "update", qpu_record(await lab.qpus.get(person, name)))]


async def _slot(lab: Lab, person: Principal, event: EventModel) -> Changed:
    action = {"created": "create", "deleted": "delete"}.get(event.data["action"], "update")
    slots = slot_records([await lab.bookings.get(person, event.data["booking_id"])])
    return [(slot["id"], action, {"id": slot["id"]} if action == "delete" else slot) for slot in slots]


async def _request(lab: Lab, person: Principal, event: EventModel) -> Changed:
    found = request_record(await lab.time_requests.get(person, event.data["id"]))
    return [(found["id"], "create" if found["status"] == "pending" else "update", found)]


async def _notice(lab: Lab, person: Principal, event: EventModel) -> Changed:
    notice_id = event.data["id"]
    try:
        found = await the_notice(lab, person, notice_id)
    except NotFound:  # taken back, dismissed, or not for this person any more
        return [(notice_id, "delete", {"id": notice_id})]
    return [(notice_id, "create" if event.data["action"] == "created" else "update", found)]


async def _person(lab: Lab, person: Principal, event: EventModel) -> Changed:
    name = event.data["account"] if event.kind == E.BALANCE_CHANGED else event.data["name"]
    if name.startswith(GROUP):
        return []
    return [(name, "update", await the_user(lab, person, name))]


_COLLECTIONS: Mapping[str, tuple[str, ...]] = {
    E.JOB_SUBMITTED: ("quantum_jobs",),
    E.JOB_CHANGED: ("quantum_jobs",),
    E.JOB_DELETED: ("quantum_jobs",),
    E.QPU_CHANGED: ("qpus",),
    E.BOOKING_CHANGED: ("time_slots",),
    E.TIME_REQUEST_CHANGED: ("qpu_time_requests",),
    E.NOTICE_CHANGED: ("notifications",),
    E.PERSON_CHANGED: ("users",),
    E.BALANCE_CHANGED: ("users",),
}
_LOADERS: Mapping[str, Loader] = {
    "quantum_jobs": _job,
    "qpus": _qpu,
    "time_slots": _slot,
    "qpu_time_requests": _request,
    "notifications": _notice,
    "users": _person,
}
