"""Jobs: submit, look, cancel, fetch."""

from __future__ import annotations

from qpi_jupyter.core.access import Permission as P
from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.wire import rest
from qpi_server.web.table import Call, Download, Reply

from .base import Cursor, Limit, Query, Text, Wait, v1

ZIP = "application/zip"
PACKED = "application/octet-stream"


class JobQuery(Query):
    """``GET jobs/{id}``: wait for its end, or with ``version`` for any later one."""

    wait_s: Wait = 0.0
    version: Cursor | None = None


class JobsQuery(Query):
    """``GET jobs``: newest first."""

    limit: Limit = 50
    after: Text | None = None
    status: rest.Status | None = None
    qpu: Text | None = None
    mine: bool = True


@v1.route("POST", "jobs", P.JOBS_SUBMIT, {201: rest.JobModel, 200: rest.JobModel},
          body=rest.SubmitRequest, headers=("Idempotency-Key",))  # fmt: skip
async def submit(call: Call) -> Reply:
    """Submit a job. The same Idempotency-Key with the same body gives the same job (200)."""
    key = call.headers.get("Idempotency-Key")
    if key is not None and not 0 < len(key) <= 200:
        raise Rejected("An Idempotency-Key has 1 to 200 characters.", code="bad_request")
    job, created = await call.lab.jobs.submit(call.person, call.body, idempotency_key=key)
    return Reply(body=job, status=201 if created else 200)


@v1.route("GET", "jobs", P.JOBS_READ, {200: rest.JobPage}, query=JobsQuery)
async def list_jobs(call: Call) -> Reply:
    """One page of jobs, newest first."""
    q: JobsQuery = call.query
    page = await call.lab.jobs.list(
        call.person, limit=q.limit, after=q.after, status=q.status, qpu=q.qpu, mine=q.mine
    )  # fmt: skip
    return Reply(body=page)


@v1.route("GET", "jobs/{id}", P.JOBS_READ, {200: rest.JobModel}, query=JobQuery, waits=True)
async def get_job(call: Call) -> Reply:
    """One job; with wait_s, once it is final or newer than version."""
    q: JobQuery = call.query
    return Reply(body=await call.lab.jobs.get(call.person, call.path["id"], wait_s=q.wait_s, version=q.version))


@v1.route("POST", "jobs/{id}/cancel", P.JOBS_CANCEL, {200: rest.JobModel})
async def cancel_job(call: Call) -> Reply:
    """Ask for a job's end; a result that is already measured wins."""
    return Reply(body=await call.lab.jobs.cancel(call.person, call.path["id"]))


@v1.route("GET", "jobs/{id}/result", P.JOBS_READ, {200: "application/json"})
async def get_result(call: Call) -> Reply:
    """A completed job's result as Qiskit's Result JSON."""
    return Reply(body=await call.lab.jobs.result(call.person, call.path["id"]))


@v1.route("GET", "jobs/{id}/dataset", P.JOBS_READ, {200: ZIP, 206: ZIP}, headers=("Range", "If-None-Match"))
async def get_dataset(call: Call) -> Reply:
    """A completed job's dataset: a zip of NetCDF files, one a circuit."""
    job_id = call.path["id"]
    path, info = await call.lab.jobs.dataset(call.person, job_id)
    return Reply(body=Download(path=path, etag=info.sha256, filename=f"{job_id}.zip"), media_type=ZIP)


@v1.route("GET", "jobs/{id}/events", P.JOBS_READ, {200: rest.EventPage})
async def get_job_events(call: Call) -> Reply:
    """What happened to one job."""
    return Reply(body=await call.lab.events.of_job(call.person, call.path["id"]))


@v1.route("GET", "jobs/{id}/program", P.JOBS_READ, {200: PACKED})
async def get_job_program(call: Call) -> Reply:
    """A job's sources, packed."""
    return Reply(body=await call.lab.jobs.program(call.person, call.path["id"]), media_type=PACKED)
