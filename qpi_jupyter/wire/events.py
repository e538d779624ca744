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
    QPU_CHANGED = "qpu.changed"
