"""From a request to a stored job."""

from __future__ import annotations

from .batches import BATCH, Batches
from .checking import Checker
from .forecast import Prospects, Tracks
from .previews import PreviewService
from .submit import MAX_KEY, Submitter, check_key
from .unchecked import LAST_REST_S, Unchecked

__all__ = [
    "BATCH", "LAST_REST_S", "MAX_KEY", "Batches", "Checker", "PreviewService", "Prospects", "Submitter", "Tracks",
    "Unchecked", "check_key",
]  # fmt: skip
