"""One circuit over several QPUs: made into a plan, and looked at."""

from __future__ import annotations

from .planning import PlanService

__all__ = ["PlanService"]
