"""The native surface, ``<base_url>qpi/v1/``: every address, who may use it, and the one service call behind it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from qpi_jupyter.core.access import Permission as P
from qpi_jupyter.core.errors import NotFound, Rejected
from qpi_jupyter.wire import rest
from qpi_jupyter.wire.results import DIGEST_HEADER

from .openapi import document
from .table import Call, Download, Reply, Table
from .upload import UploadSink

MAX_WAIT_S = 60.0
ZIP = "application/zip"
PACKED = "application/octet-stream"

_Wait = Annotated[float, Meta(ge=0, le=MAX_WAIT_S)]
_Cursor = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_Limit = Annotated[int, Meta(ge=1, le=2000)]

v1 = Table("/qpi/v1/")
public = Table("/qpi/")
"""Addresses without a version: for monitors."""


class Query(Struct, kw_only=True, forbid_unknown_fields=True):
    """A query string; unknown names are refused."""


class JobQuery(Query):
    """``GET jobs/{id}``: wait for its end, or with ``version`` for any later one."""

    wait_s: _Wait = 0.0
    version: _Cursor | None = None


class JobsQuery(Query):
    """``GET jobs``: newest first."""

    limit: _Limit = 50
    after: Annotated[str, Meta(max_length=200)] | None = None
    status: rest.Status | None = None
    qpu: Annotated[str, Meta(max_length=200)] | None = None
    mine: bool = True


class EventsQuery(Query):
    """``GET events``: what came after a cursor; with ``wait_s``, wait for it."""

    after: _Cursor = 0
    limit: _Limit = 500
    wait_s: _Wait = 0.0


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


@v1.route("GET", "events", P.EVENTS_READ, {200: rest.EventPage}, query=EventsQuery, waits=True)
async def get_events(call: Call) -> Reply:
    """The durable event stream after a cursor, as far as one may see it."""
    q: EventsQuery = call.query
    return Reply(body=await call.lab.events.page(call.person, after=q.after, limit=q.limit, wait_s=q.wait_s))


@v1.route("GET", "qpus", P.QPUS_READ, {200: rest.QpuList})
async def list_qpus(call: Call) -> Reply:
    """Every QPU."""
    return Reply(body=await call.lab.qpus.list(call.person))


@v1.route("GET", "qpus/{name}", P.QPUS_READ, {200: rest.QpuDetail})
async def get_qpu(call: Call) -> Reply:
    """One QPU and its manifest."""
    return Reply(body=await call.lab.qpus.get(call.person, call.path["name"]))


@v1.route("POST", "qpus", P.QPUS_MANAGE, {201: rest.QpuDetail}, body=rest.QpuIn)
async def create_qpu(call: Call) -> Reply:
    """Register a QPU."""
    return Reply(body=await call.lab.qpus.create(call.person, call.body), status=201)


@v1.route("POST", "drivers", P.DRIVERS_MANAGE, {201: rest.DriverRegistered}, body=rest.DriverIn)
async def register_driver(call: Call) -> Reply:
    """Register a driver of a QPU; only this answer shows its token."""
    registered = await call.lab.people.register_driver(
        call.person, call.body, address=call.site.address(), ca_fingerprint=call.site.ca_fingerprint()
    )
    return Reply(body=registered, status=201)


@v1.route("POST", "tokens", P.JOBS_SUBMIT, {201: rest.TokenCreated}, body=rest.TokenIn)
async def create_token(call: Call) -> Reply:
    """Make an API token of one's own; only this answer shows it."""
    return Reply(body=await call.lab.people.create_token(call.person, call.body), status=201)


async def open_upload(call: Call) -> UploadSink:
    """The sink of a result's bytes; a foreign or unknown attempt is refused before the first of them."""
    digest = call.headers.get(DIGEST_HEADER)
    if digest is None:
        raise Rejected(f"The header {DIGEST_HEADER} is missing.", code="bad_request")
    attempt = int(call.path["attempt"])
    return UploadSink(await call.lab.drivers.upload(call.person, call.path["id"], attempt, digest))


@v1.route("PUT", "jobs/{id}/attempts/{attempt}/result", P.DRIVE, {201: rest.ResultStored, 200: rest.ResultStored},
          headers=(DIGEST_HEADER,), opens=open_upload)  # fmt: skip
async def store_result(call: Call) -> Reply:
    """Deliver an attempt's result. A repeat is 200; so is an attempt that no longer counts (accepted: false)."""
    status, stored = await call.sink.finish()
    return Reply(body=stored, status=status)


@v1.route("GET", "programs/{sha256}", P.DRIVE, {200: PACKED})
async def get_program(call: Call) -> Reply:
    """A program's sources, packed, for the driver that has to run it."""
    return Reply(body=await call.lab.drivers.program(call.person, call.path["sha256"]), media_type=PACKED)


@v1.route("GET", "openapi.json", P.SPEC_READ, {200: "application/json"})
async def get_openapi(call: Call) -> Reply:
    """This description."""
    return Reply(body=document(ROUTES))


@v1.route("GET", "ca.pem", P.HEALTH, {200: "application/x-pem-file"})
async def get_ca(call: Call) -> Reply:
    """The certificate of the lab's own authority; compare its fingerprint before you trust it."""
    pem = call.site.ca_pem()
    if pem is None:
        raise NotFound("This server has no certificate authority of its own.")
    return Reply(body=pem, media_type="application/x-pem-file")


@public.route("GET", "health", P.HEALTH, {200: rest.Health, 503: rest.Health})
async def get_health(call: Call) -> Reply:
    """Whether the lab works; a signed-in person also hears who owns it and which drivers are there."""
    owner = call.site.owner() if call.principal is not None else None
    health = await call.lab.health(call.principal, owner=owner)
    return Reply(body=health, status=200 if health.status == "up" else 503)


@public.route("GET", "metrics", P.METRICS_READ, {200: "text/plain"})
async def get_metrics(call: Call) -> Reply:
    """Figures for Prometheus."""
    return Reply(body=generate_latest(call.lab.metrics), media_type=CONTENT_TYPE_LATEST)


@public.route("GET", "owner", P.DRIVERS_MANAGE, {200: rest.Health}, waits=True)
async def watch_owner(call: Call) -> Reply:
    """Answers when this server stops owning the queue; other servers of its user hold it open to hear of that."""
    await call.site.released()
    return await get_health(call)


ROUTES = [*v1.routes, *public.routes]
