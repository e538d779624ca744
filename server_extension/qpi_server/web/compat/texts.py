"""Jobs of one circuit as text, for the surfaces that know no others."""

from __future__ import annotations

from qpi_jupyter.core import Principal, unpack
from qpi_jupyter.wire.jobs import JobModel
from qpi_server.service import Lab


def seems_one(job: JobModel) -> bool:
    """Whether a job is one circuit as text, as far as its driver says."""
    return job.num_circuits == 1 and job.format.startswith("openqasm")


async def text_of(lab: Lab, person: Principal, job: JobModel) -> str | None:
    """The OpenQASM text of a job of one circuit; None: it has another format, or several circuits, whatever its driver
    says of their number."""
    if not seems_one(job):
        return None
    sources = unpack(await lab.jobs.program(person, job.id))
    return sources[0].decode() if len(sources) == 1 else None
