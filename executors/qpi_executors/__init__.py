"""What runs programs: the `Executor` contract, the registry that finds executors, and the built-in simulators."""

from __future__ import annotations

from .base import Executor, Option, RunCancelled
from .registry import describe, load, names
from .runner import run_program

__all__ = ["Executor", "Option", "RunCancelled", "describe", "load", "names", "run_program"]
