"""QPU time: accounts, grants, charges and requests."""

from __future__ import annotations

from .accounts import AccountService, set_aside
from .time_requests import TimeRequestService

__all__ = ["AccountService", "TimeRequestService", "set_aside"]
