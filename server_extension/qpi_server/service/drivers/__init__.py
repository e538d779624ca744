"""What drivers say on their links, and what they deliver."""

from __future__ import annotations

from .buses import Buses
from .drivers import DriverService
from .reconcile import HELLOS, Reconciler
from .uploads import Upload

__all__ = ["HELLOS", "Buses", "DriverService", "Reconciler", "Upload"]
