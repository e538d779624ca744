"""Plans of one circuit over several QPUs."""

from __future__ import annotations

from qpi_jupyter.core import Permission as P
from qpi_jupyter.wire import plans
from qpi_jupyter.wire.jobs import JobModel
from qpi_server.web.table import Call, Reply, Route

from .base import v1


@v1.route("POST", "plans/{id}/jobs", P.JOBS_SUBMIT, {201: JobModel, 200: JobModel},
          body=plans.PlanJobIn, headers=("Idempotency-Key",), refuses=(507,))  # fmt: skip
async def submit_plan(call: Call, wanted: plans.PlanJobIn) -> Reply:
    """Run a plan: a job of which each fragment is a child. The same Idempotency-Key gives the same job (200)."""
    key = call.headers.get("Idempotency-Key")
    job_id, created = await call.lab.plan_runs.submit(call.person, call.path["id"], wanted, key=key)
    return Reply(body=await call.lab.jobs.get(call.person, job_id), status=201 if created else 200)


@v1.route("POST", "plans/jobs", P.JOBS_SUBMIT, {201: JobModel, 200: JobModel},
          body=plans.PlanAndRunIn, headers=("Idempotency-Key",), refuses=(507,))  # fmt: skip
async def plan_and_run(call: Call, wanted: plans.PlanAndRunIn) -> Reply:
    """Plan a circuit and run it: accepted at once, and planned then."""
    key = call.headers.get("Idempotency-Key")
    job_id, created = await call.lab.plan_runs.plan_and_run(call.person, wanted, key=key)
    return Reply(body=await call.lab.jobs.get(call.person, job_id), status=201 if created else 200)


v1.serve(
    Route("make_plan", "POST", "plans", P.JOBS_SUBMIT, {200: plans.PlanModel},
          "Plan how one circuit would run on the QPUs: whole, in components, or cut. Nothing runs yet.",
          lambda c: c.lab.plans.plan(c.person, c.body), body=plans.PlanIn),
    Route("get_plan", "GET", "plans/{id}", P.JOBS_READ, {200: plans.PlanModel},
          "A plan of one's own.", lambda c: c.lab.plans.get(c.person, c.path["id"])),
    Route("get_plan_run", "GET", "jobs/{id}/plan", P.JOBS_READ, {200: plans.PlanRun},
          "The plan that a job runs, live: its fragments' jobs, reservations and attempts.",
          lambda c: c.lab.plan_runs.run(c.person, c.path["id"])),
)  # fmt: skip
