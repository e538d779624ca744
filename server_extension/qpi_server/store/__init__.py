"""Durable rows and durable bytes. `Store` is the port; `open_store` gives the one that fits an address."""

from __future__ import annotations

from .database import Store, Unit
from .sqlite import SqliteStore

__all__ = ["SqliteStore", "Store", "Unit"]
