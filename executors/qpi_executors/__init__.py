"""What runs programs: the `Executor` contract, the registry that finds executors, and the built-in simulators."""

from __future__ import annotations

from .base import CircuitExecutor, Executor, RunCancelled
from .options import ExecutorOptions
from .registry import load, names
from .runner import run_program

__all__ = ["CircuitExecutor", "Executor", "ExecutorOptions", "RunCancelled", "load", "names", "run_program"]
