"""QPUs, their drivers and the simulators that the server starts."""

from __future__ import annotations

from .bench import BenchService
from .embedded import DriverRunner, EmbeddedService
from .executors import ExecutorService
from .launch import option_flags
from .qpus import QpuService
from .registration import Registration

__all__ = [
    "BenchService", "DriverRunner", "EmbeddedService", "ExecutorService", "QpuService", "Registration", "option_flags",
]  # fmt: skip
