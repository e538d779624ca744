"""The use cases of the lab: submit, claim, finish, watch, recover."""

from __future__ import annotations

from qpi_server.service.base import Clock, LabConfig
from qpi_server.service.drivers import Upload
from qpi_server.store import EmbeddedDriver

from .lab import Lab

__all__ = ["Clock", "EmbeddedDriver", "Lab", "LabConfig", "Upload"]
