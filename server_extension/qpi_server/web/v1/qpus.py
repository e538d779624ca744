"""QPUs and their drivers' registration."""

from __future__ import annotations

from qpi_jupyter.core.access import Permission as P
from qpi_jupyter.wire import rest
from qpi_server.web.table import Call, Reply

from .base import v1


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


@v1.route("PATCH", "qpus/{name}", P.QPUS_OPERATE, {200: rest.QpuDetail}, body=rest.QpuChange)
async def change_qpu(call: Call) -> Reply:
    """Enable or disable a QPU, hold it, put it into maintenance, describe it."""
    return Reply(body=await call.lab.qpus.change(call.person, call.path["name"], call.body))


@v1.route("POST", "drivers", P.DRIVERS_MANAGE, {201: rest.DriverRegistered}, body=rest.DriverIn)
async def register_driver(call: Call) -> Reply:
    """Register a driver of a QPU; only this answer shows its token."""
    registered = await call.lab.people.register_driver(
        call.person, call.body, address=call.site.address(), ca_fingerprint=call.site.ca_fingerprint()
    )
    return Reply(body=registered, status=201)
