"""Jobs: QPI's own routes, and the collection ``quantum_jobs``."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any
from weakref import WeakKeyDictionary

from msgspec import UNSET, Meta, Struct, UnsetType

from qpi_jupyter.core import Conflict, Forbidden, NotFound, Rejected, allows
from qpi_jupyter.core import Permission as P
from qpi_jupyter.wire.jobs import JobModel
from qpi_server.service import Lab
from qpi_server.web.table import JSON, Call, Reply, Route

from .base import Body, Record, api, record, stamp
from .filters import Filter
from .paging import MAX_PER_PAGE, MAX_ROWS, Listing, RecordPage, View, as_page, ordered, picked, sort_keys
from .programs import Submit, payload_of, request_of
from .results import qpi_results

JOB_FIELDS = frozenset({"id", "user_id", "qpu_target", "status", "finished_at", "duration", "created", "updated"})
MAX_CALLS = 40
"""How often the lab is asked for one list; each time it looks at some thousand rows at most."""
HOLD_S = 1.0
"""How long an answer waits for the end of a job: QPI's clients ask once, and then every 5 s."""
YOUNG_S = 30.0
"""So old is a job whose end is worth waiting for; who asks for one that waits in a long queue is answered at once."""
STOP_S = 10.0
"""How long a cancel waits for a running job to stop."""

MAX_PER_PERSON = 32
MAX_WAITING = 1_000

WAITING: WeakKeyDictionary[Any, Counter[str]] = WeakKeyDictionary()
"""Who waits for how many answers, in each lab of this process; Any: tests have labs of their own."""
_NEWEST: tuple[list[tuple[str, bool]], ...] = ([], [("created", True)])


class Jobs(Struct, kw_only=True):
    """``GET jobs``; without a limit as many as there are, up to the largest page."""

    skip: Annotated[int, Meta(ge=0, lt=MAX_ROWS)] = 0
    limit: int = 0
    sort: Annotated[str, Meta(max_length=200)] = "-created"


class JobRecordIn(Body):
    """``POST collections/quantum_jobs/records``: only what a submit has; the rest is the lab's to write."""

    payload: Submit
    qpu_target: str = ""
    user_id: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    results: Any = UNSET
    duration: Any = UNSET
    finished_at: Any = UNSET


@api.route("GET", "jobs", P.JOBS_READ, {200: JSON}, query=Jobs)
async def qpi_list_jobs(call: Call, wanted: Jobs) -> Reply:
    """One's own jobs, newest first, without what they ran and what came of it."""
    size = min(wanted.limit, MAX_PER_PAGE) if wanted.limit > 0 else MAX_PER_PAGE
    if sort_keys(wanted.sort, JOB_FIELDS) in _NEWEST:
        return Reply(body=await _slice(_Walk(call, mine=True), wanted.skip, size))
    found = [job async for job in _Walk(call, mine=True)]
    return Reply(body=ordered(found, wanted.sort, JOB_FIELDS)[wanted.skip : wanted.skip + size])


@api.route("GET", "jobs/{id}", P.JOBS_READ, {200: JSON})
async def qpi_get_job(call: Call) -> Reply:
    """One job, with its payload and, once there are any, its results; a young one is waited for."""
    job = await call.lab.jobs.get(call.person, call.path["id"])
    if job.ended_at is None and (datetime.now(UTC) - job.submitted_at).total_seconds() < YOUNG_S:
        with place_to_wait(call.lab, call.person.name) as free:
            if free:
                job = await call.lab.jobs.get(call.person, job.id, wait_s=HOLD_S)
    return Reply(body=await _with_payload(call, job))


@api.route("POST", "jobs/{id}/cancel", P.JOBS_CANCEL, {200: JSON})
async def qpi_cancel_job(call: Call) -> Reply:
    """Cancel a pending or running job, and wait a moment for it to stop."""
    job_id = call.path["id"]
    if (await call.lab.jobs.get(call.person, job_id)).ended_at is not None:
        raise NotFound(f"Job {job_id} is over: there is nothing to cancel.", code="job_over")
    await call.lab.jobs.cancel(call.person, job_id)
    job = await call.lab.jobs.get(call.person, job_id, wait_s=STOP_S)
    return Reply(body={"id": job.id, "status": job.status})


@api.route("GET", "collections/quantum_jobs/records", P.JOBS_READ, {200: RecordPage}, query=Listing)
async def qpi_list_job_records(call: Call, listing: Listing) -> Reply:
    """A page of one's own jobs; of everybody's for managers."""
    keep = listing.test(JOB_FIELDS, datetime.now(UTC))
    narrow, rest = _narrow(keep)
    if not allows(call.person, P.JOBS_READ_ANY):
        if narrow.pop("owner", call.person.name) != call.person.name:
            return Reply(body=as_page(listing, [], 0))
        narrow["mine"] = True
    newest = sort_keys(listing.sort, JOB_FIELDS) in _NEWEST
    if newest and not rest:
        total = (await call.lab.jobs.list(call.person, limit=1, **narrow)).total
        if total is not None or listing.skip_total:
            found = await _slice(_Walk(call, **narrow), listing.first, listing.size)
            return Reply(body=as_page(listing, found, total))
    walk = _Walk(call, **narrow)
    matches = [job async for job in walk if keep(job)]
    if not newest and not walk.whole:
        raise Rejected(
            "These are too many jobs to sort: filter by status or qpu_target, or sort by -created.",
            code="bad_sort", field="sort",
        )  # fmt: skip
    matches = ordered(matches, listing.sort, JOB_FIELDS)
    found = matches[listing.first : listing.first + listing.size]
    return Reply(body=as_page(listing, found, len(matches) if walk.whole else None))


@api.route("POST", "collections/quantum_jobs/records", P.JOBS_SUBMIT, {200: JSON}, body=JobRecordIn,
           refuses=(507,))  # fmt: skip
async def qpi_create_job_record(call: Call, wanted: JobRecordIn) -> Reply:
    """Submit a job through its collection; a record that claims to be more than a submit is refused."""
    forged = [
        name for name in ("results", "duration", "finished_at") if getattr(wanted, name) not in (UNSET, None, "", 0)
    ]
    if wanted.user_id not in (UNSET, "", call.person.name):
        forged.append("user_id")
    if wanted.status not in (UNSET, "", "pending"):
        forged.append("status")
    if forged:
        raise Forbidden(
            f"The lab alone writes {', '.join(forged)} of a job: send payload and qpu_target.",
            code="forged", field=forged[0],
        )  # fmt: skip
    wanted.payload.qpu_target = wanted.qpu_target or wanted.payload.qpu_target
    return Reply(body=await _submit(call, wanted.payload))


def job_record(job: JobModel, *, payload: Record | None = None, results: Any = None) -> Record:
    """A job as QPI has it; lists leave ``payload`` and ``results`` empty."""
    changed = job.ended_at or job.started_at or job.submitted_at
    return record(
        "quantum_jobs",
        job.id,
        {
            "user_id": job.owner,
            "qpu_target": job.qpu,
            "payload": payload,
            "status": job.status,
            "finished_at": stamp(job.ended_at),
            "duration": job.busy_s or 0,
            "results": results,
            "created": stamp(job.submitted_at),
            "updated": stamp(changed),
        },
    )


async def _submit(call: Call, wanted: Submit) -> Record:
    job, _ = await call.lab.jobs.submit(call.person, request_of(wanted))
    return await _with_payload(call, job)


async def _whole(call: Call, job_id: str) -> Record:
    return await _with_payload(call, await call.lab.jobs.get(call.person, job_id))


async def _with_payload(call: Call, job: JobModel) -> Record:
    packed = await call.lab.jobs.program(call.person, job.id)
    options = await call.lab.jobs.options(call.person, job.id)
    return job_record(job, payload=payload_of(job, packed, options), results=await _results(call, job))


async def _results(call: Call, job: JobModel) -> Any:
    if job.status == "completed":
        try:
            result = await call.lab.jobs.result(call.person, job.id)
        except Conflict as error:  # stored by an earlier version, which believed its driver more
            return {"error": error.message}
        return await asyncio.to_thread(qpi_results, result)
    return {"error": job.error.message} if job.error is not None else None


def _narrow(keep: Filter) -> tuple[dict[str, Any], bool]:
    """What of a filter the lab can look up, and whether it asks for more than that."""
    names = {"status": "status", "qpu_target": "qpu", "user_id": "owner"}
    narrow: dict[str, Any] = {"mine": False}
    rest = not keep.whole
    for demand in keep.demands:
        name = names.get(demand.field)
        if name is None or name in narrow or not demand.value or not isinstance(demand.value, str):
            rest = True
        else:
            narrow[name] = demand.value
    return narrow, rest


@contextmanager
def place_to_wait(lab: Lab, person: str) -> Iterator[bool]:
    """Whether there is one; it is free again at the end, also when the asker goes before."""
    waiting = WAITING.setdefault(lab, Counter())
    free = waiting[person] < MAX_PER_PERSON and waiting.total() < MAX_WAITING
    waiting[person] += free
    try:
        yield free
    finally:
        waiting[person] -= free
        if not waiting[person]:
            del waiting[person]


class _Walk:
    """The jobs that the lab finds, newest first, up to `MAX_ROWS` of them and `MAX_CALLS` of looking."""

    def __init__(self, call: Call, **narrow: Any) -> None:
        self._call, self._narrow = call, narrow
        self.whole = False
        """Whether it came to the last one."""

    async def __aiter__(self) -> AsyncIterator[Record]:
        jobs, person = self._call.lab.jobs, self._call.person
        after, left = None, MAX_ROWS
        for _ in range(MAX_CALLS):
            page = await jobs.list(person, limit=min(left, MAX_PER_PAGE), after=after, leafing=True, **self._narrow)
            for job in page.jobs:
                yield job_record(job)
            left, after = left - len(page.jobs), page.next
            self.whole = after is None
            if self.whole or left == 0:
                return


async def _slice(rows: _Walk, first: int, size: int) -> list[Record]:
    """Records ``first`` and on, ``size`` of them."""
    found: list[Record] = []
    seen = 0
    async for row in rows:
        seen += 1
        if seen > first:
            found.append(row)
        if len(found) == size:
            break
    return found


api.serve(
    Route("qpi_submit", "POST", "jobs", P.JOBS_SUBMIT, {201: JSON},
          "Submit a job, as QPI's clients do.", lambda c: _submit(c, c.body), body=Submit, refuses=(507,)),
    Route("qpi_get_job_record", "GET", "collections/quantum_jobs/records/{id}", P.JOBS_READ, {200: JSON},
          "One job's record.", picked(lambda c: _whole(c, c.path["id"])), query=View),
)  # fmt: skip
