"""Jobs: submit, look, cancel, fetch."""

from __future__ import annotations

from qpi_jupyter.core import Permission as P
from qpi_jupyter.core import QpiError, Rejected, existing
from qpi_jupyter.wire import jobs as bodies
from qpi_jupyter.wire import rest
from qpi_jupyter.wire.events import EventPage
from qpi_jupyter.wire.results import DIGEST_HEADER
from qpi_server.service import Upload
from qpi_server.store import Sort
from qpi_server.web.table import JSON, Call, Download, Reply, Route

from .base import Cursor, Limit, Query, Text, Wait, v1

ZIP = "application/zip"
PACKED = "application/octet-stream"
NOTHING = ""


class JobQuery(Query):
    """``GET jobs/{id}``: wait for its end, or with ``version`` for any later one."""

    wait_s: Wait = 0.0
    version: Cursor | None = None


class PartialQuery(Query):
    """``GET jobs/{id}/partial``: with ``version``, wait for another; with ``after``, have the chunks from there on."""

    wait_s: Wait = 0.0
    version: Cursor | None = None
    after: Cursor | None = None


class JobEventsQuery(Query):
    """``GET jobs/{id}/events``: of one job, or with ``family`` of all that hang together with it."""

    family: bool = False


class JobsQuery(bodies.JobFilters, Query):
    """``GET jobs``: newest first; ``name`` is a part of it, ``tag`` may come several times, ``group`` is whom the job
    is shared with. Without ``mine``, ``owner`` and ``group``: one's own. ``sort`` begins with the smallest, unless
    ``descending``; only by time, newest first, a page costs the same however many jobs there are."""

    limit: Limit = 50
    after: Text | None = None
    sort: Sort = "submitted"
    descending: bool | None = None


@v1.route("POST", "jobs", P.JOBS_SUBMIT, {201: bodies.JobModel, 200: bodies.JobModel},
          body=bodies.SubmitRequest, headers=("Idempotency-Key",), refuses=(507,))  # fmt: skip
async def submit(call: Call, wanted: bodies.SubmitRequest) -> Reply:
    """Submit a job. The same Idempotency-Key with the same body gives the same job (200)."""
    key = call.headers.get("Idempotency-Key")
    job, created = await call.lab.jobs.submit(call.person, wanted, idempotency_key=key)
    return Reply(body=job, status=201 if created else 200)


@v1.route("GET", "jobs/{id}/dataset", P.JOBS_READ, {200: ZIP, 206: ZIP}, headers=("Range", "If-None-Match"))
async def get_dataset(call: Call) -> Reply:
    """A completed job's dataset: a zip of NetCDF files, one a circuit."""
    job_id = call.path["id"]
    path, info = await call.lab.jobs.dataset(call.person, job_id)
    return Reply(body=Download(path=path, etag=info.sha256, filename=f"{job_id}.zip"), media_type=ZIP)


v1.serve(
    Route("list_jobs", "GET", "jobs", P.JOBS_READ, {200: bodies.JobPage},
          "One page of jobs: newest first, or in another order.",
          lambda c: c.lab.jobs.list(c.person, **c.given), query=JobsQuery),
    Route("get_job", "GET", "jobs/{id}", P.JOBS_READ, {200: bodies.JobModel},
          "One job; with wait_s, once it is final or newer than version.",
          lambda c: c.lab.jobs.get(c.person, c.path["id"], **c.given),
          query=JobQuery, waits=True),
    Route("change_job", "PATCH", "jobs/{id}", P.JOBS_EDIT, {200: bodies.JobModel},
          "Name, tag, share a job, or put it into a project; what is left out stays.",
          lambda c: c.lab.jobs.change(c.person, c.path["id"], c.body), body=bodies.JobChange),
    Route("delete_job", "DELETE", "jobs/{id}", P.JOBS_EDIT, {204: NOTHING},
          "Delete a job that has ended, with its program and its data.",
          lambda c: c.lab.jobs.delete(c.person, c.path["id"])),
    Route("cancel_job", "POST", "jobs/{id}/cancel", P.JOBS_CANCEL, {200: bodies.JobModel},
          "Ask for a job's end; a result that is already measured wins.",
          lambda c: c.lab.jobs.cancel(c.person, c.path["id"])),
    Route("get_family", "GET", "jobs/{id}/family", P.JOBS_READ, {200: bodies.FamilyModel},
          "The jobs that hang together with a job, and what they cost together.",
          lambda c: c.lab.jobs.family(c.person, c.path["id"])),
    Route("get_result", "GET", "jobs/{id}/result", P.JOBS_READ, {200: JSON},
          "A completed job's result as Qiskit's Result JSON.",
          lambda c: c.lab.jobs.result(c.person, c.path["id"])),
    Route("get_partial", "GET", "jobs/{id}/partial", P.JOBS_READ, {200: bodies.PartialResult},
          "What a running job has measured so far; its result takes the place of that.",
          lambda c: c.lab.jobs.partial(c.person, c.path["id"], **c.given), query=PartialQuery, waits=True),
    Route("get_job_events", "GET", "jobs/{id}/events", P.JOBS_READ, {200: EventPage},
          "What happened to one job, or to all of its family.",
          lambda c: c.lab.events.of_job(c.person, c.path["id"], **c.given), query=JobEventsQuery),
    Route("get_job_program", "GET", "jobs/{id}/program", P.JOBS_READ, {200: PACKED},
          "A job's sources, packed.", lambda c: c.lab.jobs.program(c.person, c.path["id"])),
    Route("get_job_program_text", "GET", "jobs/{id}/program/text", P.JOBS_READ, {200: bodies.ProgramText},
          "A job's program to be read: text as it was sent, QPY as OpenQASM 3.",
          lambda c: c.lab.transcripts.text(c.person, c.path["id"])),
    Route("get_provenance", "GET", "jobs/{id}/provenance", P.JOBS_READ, {200: bodies.JobProvenance},
          "How a job was asked to run, and what its result came from.",
          lambda c: c.lab.jobs.provenance(c.person, c.path["id"])),
)  # fmt: skip


class UploadSink:
    """Feeds an upload.

    An error stops the storing, not the reading: the sender hears of it after its last byte, where it listens.
    """

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._error: QpiError | None = None

    async def feed(self, chunk: bytes) -> None:
        """Take a chunk."""
        if self._error is not None:
            return
        try:
            await self._upload.feed(chunk)
        except QpiError as error:
            self._error = error
            self._upload.abort()

    async def finish(self) -> tuple[int, rest.ResultStored]:
        """The lab's answer, after the last chunk.

        Raises
        ------
        QpiError
            the result is cut, damaged or too large.
        """
        if self._error is not None:
            await self._upload.refuse(self._error)
            raise self._error
        return await self._upload.finish()

    def abort(self) -> None:
        """Forget what has come, if the lab did not take it."""
        self._upload.abort()


async def open_upload(call: Call) -> UploadSink:
    """The sink of a result's bytes; a foreign or unknown attempt is refused before the first of them."""
    digest = existing(
        call.headers.get(DIGEST_HEADER), Rejected(f"The header {DIGEST_HEADER} is missing.", code="bad_request")
    )
    attempt = int(call.path["attempt"])
    return UploadSink(await call.lab.drivers.upload(call.person, call.path["id"], attempt, digest))


@v1.route("PUT", "jobs/{id}/attempts/{attempt}/result", P.DRIVE, {201: rest.ResultStored, 200: rest.ResultStored},
          headers=(DIGEST_HEADER,), opens=open_upload)  # fmt: skip
async def store_result(call: Call) -> Reply:
    """Deliver an attempt's result. A repeat is 200; so is an attempt that no longer counts (accepted: false)."""
    status, stored = await call.sink.finish()
    return Reply(body=stored, status=status)


v1.serve(
    Route("get_program", "GET", "programs/{sha256}", P.DRIVE, {200: PACKED},
          "A program's sources, packed, for the driver that has to run it.",
          lambda c: c.lab.drivers.program(c.person, c.path["sha256"])),
)  # fmt: skip
