"""The use cases of the lab: submit, claim, finish, watch, recover."""

from __future__ import annotations

from .clock import Clock
from .config import LabConfig
from .drivers import DriverSession
from .embedded import EmbeddedDriver
from .lab import Lab
from .uploads import Upload

__all__ = ["Clock", "DriverSession", "EmbeddedDriver", "Lab", "LabConfig", "Upload"]
