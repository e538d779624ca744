"""IBM's primitives, SamplerV2 and EstimatorV2, on any executor that runs circuits, and on fake backends."""

from __future__ import annotations

from .on_executor import for_program, offered

__all__ = ["for_program", "offered"]
