"""One event of each kind, with every field of its data: what the reference page shows and the tests walk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from qpi_jupyter.core.plans import ReservationState
from qpi_jupyter.wire import events as e
from qpi_jupyter.wire.rest import JobError

AT = datetime(2030, 1, 7, 9, 30, tzinfo=UTC)
_WHEN: dict[str, Any] = {"seq": 42, "prev": 41, "at": AT}
_ON_Q1: dict[str, Any] = {**_WHEN, "qpu": "q1"}
_JOB: dict[str, Any] = {**_ON_Q1, "job_id": "job-7c1e"}
_SHOWN: dict[str, Any] = {"name": "Bell", "owner": "ann"}
_WAITS: dict[str, Any] = {**_SHOWN, "status": "pending", "phase": "queued", "attempt": 0}
_ENDED: dict[str, Any] = {**_SHOWN, "status": "failed", "phase": "failed", "attempt": 1, "version": 5, "progress": 1.0}
_BEFORE = e.BookingOutline(
    version=1, qpu="q1", start_at=AT, end_at=AT + timedelta(hours=1), mode="priority", status="booked",
    series_id="series-1", slot_id="slot-1", booked_by="ann", title="Tune-up", invited=["bob"],
)  # fmt: skip
_AFTER = e.BookingOutline(
    version=2, qpu="q1", start_at=AT, end_at=AT + timedelta(hours=2), mode="priority", status="booked",
    series_id="series-1", slot_id="slot-1", booked_by="ann", title="Tune-up", invited=["bob"],
)  # fmt: skip

EXAMPLES: tuple[e.LabEvent, ...] = (
    e.JobSubmitted(
        **_JOB, data=e.JobData(**_WAITS, version=1, ledger=[e.LedgerLine(kind="hold", amount_s=-2.0, account="ann")])
    ),
    e.JobChecked(**_JOB, data=e.JobData(**_WAITS, version=2)),
    e.JobChanged(
        **_JOB,
        data=e.JobData(
            **_ENDED,
            driver="driver-1",
            ledger=[e.LedgerLine(kind="settle", amount_s=0.75, account="ann")],
            error=JobError(kind="Faulted", code="instrument", message="The cryostat is warm.", data={"kelvin": 4.0}),
            driver_name="bench-1",
        ),
    ),
    e.JobProgress(
        **_JOB,
        data=e.JobData(
            **_SHOWN, status="running", phase="running", attempt=1, version=4, progress=0.5, driver="driver-1"
        ),
    ),
    e.JobEdited(
        **_JOB,
        data=e.JobEditData(
            **_WAITS,
            version=3,
            by="ann",
            changed=["tags", "project", "shared_with"],
            tags=["paper"],
            project="bells",
            shared_with="theory",
        ),
    ),
    e.JobDeleted(**_JOB, data=e.JobDeletionData(**_ENDED, by="ann")),
    e.ReservationChanged(
        **_JOB,
        data=e.ReservationData(
            id="job-8d2f.01",
            state=ReservationState.EXPIRED,
            fragment=0,
            child_id="job-8d2f",
            reason="The fragment did not begin in its time.",
        ),
    ),
    e.QpuChanged(**_ON_Q1, data=e.QpuData(status="maintenance", hold="The cryostat is warm.", by="mia")),
    e.QpuCalibrated(**_ON_Q1, data=e.CalibrationData(calibration_id="b1946ac92492d234")),
    e.DriverChanged(**_ON_Q1, data=e.DriverData(driver="bench-1", action="disabled", by="mia")),
    e.DriverLogged(**_ON_Q1, data=e.DriverLogData(driver="bench-1")),
    e.BookingChanged(
        **_ON_Q1,
        data=e.BookingData(booking_id="booking-1", action="changed", by="ann", before=_BEFORE, after=_AFTER),
    ),
    e.BookingRuleChanged(**_ON_Q1, data=e.BookingRuleData(id="rule-1", action="set", group="theory")),
    e.SessionChanged(
        **_ON_Q1, data=e.SessionData(action="closed", session_id="session-1", holder="ann", reason="idle")
    ),
    e.BalanceChanged(
        **_ON_Q1,
        data=e.BalanceData(
            account="ann", kind="grant", amount_s=60.0, balance_s=90.0, reason="for the paper", by="mia"
        ),
    ),
    e.AccountChanged(**_WHEN, data=e.AccountData(account="ann", limited=True, by="mia")),
    e.TimeRequestChanged(
        **_WHEN,
        data=e.TimeRequestData(
            id="request-1", account="ann", person="ann", seconds=60.0, status="approved", granted_s=60.0, by="mia"
        ),
    ),
    e.NoticeChanged(**_WHEN, data=e.NoticeData(id="notice-1", action="created")),
    e.PersonChanged(**_WHEN, data=e.PersonData(name="ann", by="mia")),
    e.GroupChanged(**_WHEN, data=e.GroupData(name="theory", action="changed", by="mia")),
    e.TokenChanged(**_WHEN, data=e.TokenData(id="token-1", action="created", by="ann")),
    e.AuditWritten(**_WHEN, data=e.AuditData(who="mia", action="qpu.change", subject="qpu:q1")),
    e.ReplayChanged(**_WHEN, data=e.ReplayData(state="running", progress=0.25)),
)
