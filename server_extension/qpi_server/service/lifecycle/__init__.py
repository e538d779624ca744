"""What happens to a job: steps carried out, measured, charged and shown."""

from __future__ import annotations

from .access import find, kin, knows_all, labelled, own, relatives, told, visible
from .fragments import PlaceWanted, all_used, change, end, moved_to, request
from .lifecycle import Lifecycle, ProgressBook
from .models import event_models, is_small, job_model, keyed_counts
from .result_checks import CHARGE_SLACK_S, CLOCK_SLACK_S, check_result, due
from .rows import Growing, RowBook
from .transitions import Change, Queued, carry_out, hold_for, job_data, job_error, write_event

__all__ = [
    "CHARGE_SLACK_S", "CLOCK_SLACK_S", "Change", "Growing", "Lifecycle", "PlaceWanted", "ProgressBook", "Queued",
    "RowBook", "all_used", "carry_out", "change", "check_result", "due", "end", "event_models", "find", "hold_for",
    "is_small", "job_data", "job_error", "job_model", "keyed_counts", "kin", "knows_all", "labelled", "moved_to", "own",
    "relatives", "request", "told", "visible", "write_event",
]  # fmt: skip
