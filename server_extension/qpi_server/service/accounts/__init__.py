"""QPU time: accounts, grants, charges and requests."""

from __future__ import annotations

from .accounts import AccountService, give_allowance, set_aside
from .time_requests import TimeRequestService

__all__ = ["AccountService", "TimeRequestService", "give_allowance", "set_aside"]
