"""One circuit over several QPUs: made into a plan, looked at, and run."""

from __future__ import annotations

from .planning import PlanService
from .runs import PlanRuns

__all__ = ["PlanRuns", "PlanService"]
