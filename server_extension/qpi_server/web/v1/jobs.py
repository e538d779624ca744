"""Jobs: submit, look, cancel, fetch."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from qpi_jupyter.core.access import Permission as P
from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.wire import rest
from qpi_server.service.job_search import Sort
from qpi_server.web.table import Call, Download, Reply

from .base import Cursor, Limit, Query, Text, Wait, v1

ZIP = "application/zip"
PACKED = "application/octet-stream"
NOTHING = ""
Texts = Annotated[list[Text], Meta(max_length=32)]
Moment = Annotated[datetime, Meta(tz=True)]


class JobQuery(Query):
    """``GET jobs/{id}``: wait for its end, or with ``version`` for any later one."""

    wait_s: Wait = 0.0
    version: Cursor | None = None


class JobsQuery(Query):
    """``GET jobs``: newest first; ``name`` is a part of it, ``tag`` may come several times, ``group`` is whom the job
    is shared with. Without ``mine``, ``owner`` and ``group``: one's own. ``sort`` begins with the smallest, unless
    ``descending``; only by time, newest first, a page costs the same however many jobs there are."""

    limit: Limit = 50
    after: Text | None = None
    mine: bool | None = None
    name: Text = ""
    tag: Texts = msgspec.field(default_factory=list)
    project: Text | None = None
    group: Text | None = None
    owner: Text | None = None
    qpu: Text | None = None
    status: rest.Status | None = None
    cell: Text | None = None
    submitted_after: Moment | None = None
    submitted_before: Moment | None = None
    sort: Sort = "submitted"
    descending: bool | None = None


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
    """One page of jobs: newest first, or in another order."""
    return Reply(body=await call.lab.jobs.list(call.person, **msgspec.structs.asdict(call.query)))


@v1.route("GET", "jobs/{id}", P.JOBS_READ, {200: rest.JobModel}, query=JobQuery, waits=True)
async def get_job(call: Call) -> Reply:
    """One job; with wait_s, once it is final or newer than version."""
    q: JobQuery = call.query
    return Reply(body=await call.lab.jobs.get(call.person, call.path["id"], wait_s=q.wait_s, version=q.version))


@v1.route("PATCH", "jobs/{id}", P.JOBS_EDIT, {200: rest.JobModel}, body=rest.JobChange)
async def change_job(call: Call) -> Reply:
    """Name, tag, share a job, or put it into a project; what is left out stays."""
    return Reply(body=await call.lab.jobs.change(call.person, call.path["id"], call.body))


@v1.route("DELETE", "jobs/{id}", P.JOBS_EDIT, {204: NOTHING})
async def delete_job(call: Call) -> Reply:
    """Delete a job that has ended, with its program and its data."""
    await call.lab.jobs.delete(call.person, call.path["id"])
    return Reply(status=204)


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


@v1.route("GET", "jobs/{id}/program/text", P.JOBS_READ, {200: rest.ProgramText})
async def get_job_program_text(call: Call) -> Reply:
    """A job's circuits to be read: OpenQASM as it was sent, QPY as OpenQASM 3."""
    return Reply(body=await call.lab.transcripts.text(call.person, call.path["id"]))


@v1.route("GET", "jobs/{id}/provenance", P.JOBS_READ, {200: rest.JobProvenance})
async def get_provenance(call: Call) -> Reply:
    """How a job was asked to run, and what its result came from."""
    return Reply(body=await call.lab.jobs.provenance(call.person, call.path["id"]))
