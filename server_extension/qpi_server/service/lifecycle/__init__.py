"""What happens to a job: steps carried out, measured, charged and shown."""

from __future__ import annotations

from .access import find, kin, knows_all, labelled, own, relatives, told, visible
from .lifecycle import Lifecycle, ProgressBook
from .models import event_models, is_small, job_model, keyed_counts
from .result_checks import CHARGE_SLACK_S, CLOCK_SLACK_S, check_result, due
from .rows import Growing, RowBook
from .transitions import Change, Queued, carry_out, hold_for, job_data, write_event

__all__ = [
    "CHARGE_SLACK_S", "CLOCK_SLACK_S", "Change", "Growing", "Lifecycle", "ProgressBook", "Queued", "RowBook",
    "carry_out", "check_result", "due", "event_models", "find", "hold_for", "is_small", "job_data", "job_model",
    "keyed_counts", "kin", "knows_all", "labelled", "own", "relatives", "told", "visible", "write_event",
]  # fmt: skip
