"""QPUs, their drivers and the simulators that the server starts."""

from __future__ import annotations

from .bench import BenchService
from .embedded import DriverRunner, EmbeddedService
from .enrollment import EnrollmentService
from .executors import ExecutorService
from .launch import option_flags
from .qpus import QpuService
from .registration import Registration
from .services import ServiceCatalogue

__all__ = [
    "BenchService", "DriverRunner", "EmbeddedService", "EnrollmentService", "ExecutorService", "QpuService",
    "Registration", "ServiceCatalogue", "option_flags",
]  # fmt: skip
