"""Plans of one circuit over several QPUs."""

from __future__ import annotations

from qpi_jupyter.core import Permission as P
from qpi_jupyter.wire import plans
from qpi_server.web.table import Route

from .base import v1

v1.serve(
    Route("make_plan", "POST", "plans", P.JOBS_SUBMIT, {200: plans.PlanModel},
          "Plan how one circuit would run on the QPUs: whole, in components, or cut. Nothing runs yet.",
          lambda c: c.lab.plans.plan(c.person, c.body), body=plans.PlanIn),
    Route("get_plan", "GET", "plans/{id}", P.JOBS_READ, {200: plans.PlanModel},
          "A plan of one's own.", lambda c: c.lab.plans.get(c.person, c.path["id"])),
)  # fmt: skip
