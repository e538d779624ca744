"""Which job goes to which driver, and when."""

from __future__ import annotations

from .dispatch import Dispatcher, ParkedClaim

__all__ = ["Dispatcher", "ParkedClaim"]
