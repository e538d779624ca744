"""The use cases of the lab: submit, claim, finish, watch, recover."""

from __future__ import annotations

from .clock import Clock
from .config import LabConfig
from .drivers import DriverSession
from .lab import Lab
from .qpus import EmbeddedDriver
from .uploads import Upload

__all__ = ["Clock", "DriverSession", "EmbeddedDriver", "Lab", "LabConfig", "Upload"]
