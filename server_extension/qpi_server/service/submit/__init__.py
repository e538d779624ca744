"""From a request to a stored job."""

from __future__ import annotations

from .batches import BATCH, Batches
from .checking import Checker, StoredProgram, checked, stored_program
from .forecast import Prospects, Tracks
from .previews import PreviewService
from .submit import MAX_KEY, Stored, Submitter, account_of, check_key, come_before
from .unchecked import LAST_REST_S, Unchecked

__all__ = [
    "BATCH", "LAST_REST_S", "MAX_KEY", "Batches", "Checker", "PreviewService", "Prospects", "Stored", "StoredProgram",
    "Submitter", "Tracks", "Unchecked", "account_of", "check_key", "checked", "come_before", "stored_program",
]  # fmt: skip
