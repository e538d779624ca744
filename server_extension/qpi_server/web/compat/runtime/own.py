"""One's own jobs that came as pubs: no route of this surface knows any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from qpi_jupyter.core import NotFound
from qpi_jupyter.wire.jobs import JobModel, RuntimeOrigin
from qpi_server.web.table import Call

from .base import PROGRAMS, no_job

PAGE = 500


async def own_jobs(call: Call, wanted: Callable[[JobModel], bool], **filters: Any) -> list[JobModel]:
    """Those that are ``wanted``, newest first; ``filters`` are `JobFilters`."""
    jobs, after = [], None
    while True:
        page = await call.lab.jobs.list(
            call.person, owner=call.person.name, limit=PAGE, after=after, leafing=True, **filters
        )
        jobs += [job for job in page.jobs if job.format in PROGRAMS and wanted(job)]
        if (after := page.next) is None:
            return jobs


async def own_job(call: Call, **how: Any) -> JobModel:
    """The job of the address; ``how`` long to wait for its end.

    Raises
    ------
    NotFound
        there is none, it did not come as pubs, or it is somebody else's.
    """
    try:
        job = await call.lab.jobs.get(call.person, call.path["id"], **how)
    except NotFound as error:
        raise no_job() from error
    if job.owner != call.person.name or job.format not in PROGRAMS:
        raise no_job()
    return job


def asked_for(job: JobModel) -> RuntimeOrigin:
    """What IBM's client asked for; of a job that came by the lab's own surface, its QPU."""
    own = job.origin.get("runtime")
    return RuntimeOrigin(backend=job.qpu or "") if own is None else msgspec.convert(own, RuntimeOrigin)
