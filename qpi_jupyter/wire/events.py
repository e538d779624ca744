"""The kinds of the durable event stream, and the schema under which a Jupyter server re-emits them."""

from __future__ import annotations

from enum import StrEnum

JUPYTER_SCHEMA_ID = "https://schema.qpi-jupyter.org/lab/v1"


class EventName(StrEnum):
    """What an event row says. Rows of one job carry what a list row shows: status, phase, qpu, attempt."""

    JOB_SUBMITTED = "job.submitted"
    JOB_CHECKED = "job.checked"
    JOB_CHANGED = "job.changed"
    JOB_PROGRESS = "job.progress"
    JOB_EDITED = "job.edited"
    """Its name, tags, project or sharing."""
    JOB_DELETED = "job.deleted"
    QPU_CHANGED = "qpu.changed"
    BOOKING_CHANGED = "booking.changed"
    """Made, moved, released, deleted or given back; ``data.action`` says which, ``data.by`` who."""
    SESSION_CHANGED = "session.changed"
    BALANCE_CHANGED = "balance.changed"
    """A grant, or a session's charge; what a job costs is in the job's own events."""
    TIME_REQUEST_CHANGED = "time_request.changed"
    NOTICE_CHANGED = "notice.changed"
    PERSON_CHANGED = "person.changed"
    REPLAY_CHANGED = "replay.changed"
    """A replay of the past begins, goes on or ends; ``data`` has its ``state`` and ``progress``."""
    DRIVER_LOGGED = "driver.logged"
    """A driver has written into its log; for those who read everybody's events."""
