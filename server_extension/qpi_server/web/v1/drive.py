"""What only drivers do over HTTP: fetch programs, deliver results."""

from __future__ import annotations

from qpi_jupyter.core.access import Permission as P
from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.wire import rest
from qpi_jupyter.wire.results import DIGEST_HEADER
from qpi_server.web.table import Call, Reply
from qpi_server.web.upload import UploadSink

from .base import v1
from .jobs import PACKED


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
