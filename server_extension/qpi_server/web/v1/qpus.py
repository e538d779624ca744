"""QPUs, their drivers, and the simulators that the lab's server runs."""

from __future__ import annotations

from qpi_jupyter.core.access import Permission as P
from qpi_jupyter.wire import bench, rest, telemetry
from qpi_server.web.table import Call, Reply

from .base import Cursor, Query, v1


@v1.route("GET", "qpus", P.QPUS_READ, {200: rest.QpuList})
async def list_qpus(call: Call) -> Reply:
    """Every QPU."""
    return Reply(body=await call.lab.qpus.list(call.person))


@v1.route("GET", "qpus/{name}", P.QPUS_READ, {200: rest.QpuDetail})
async def get_qpu(call: Call) -> Reply:
    """One QPU and its manifest."""
    return Reply(body=await call.lab.qpus.get(call.person, call.path["name"]))


@v1.route("GET", "qpus/{name}/drivers", P.QPUS_READ, {200: telemetry.QpuDriverList})
async def list_qpu_drivers(call: Call) -> Reply:
    """The drivers of a QPU; which machines they run on, for whoever operates QPUs."""
    return Reply(body=await call.lab.qpus.drivers(call.person, call.path["name"]))


class LogQuery(Query):
    """``GET qpus/{name}/drivers/{driver}/log``: the lines after the ``seq`` of one."""

    after: Cursor = 0


@v1.route("GET", "qpus/{name}/drivers/{driver}/log", P.QPUS_OPERATE, {200: telemetry.DriverLog}, query=LogQuery)
async def get_driver_log(call: Call) -> Reply:
    """The last lines of a driver's own log: it may name anybody's jobs."""
    q: LogQuery = call.query
    log = await call.lab.driver_logs.tail(call.person, call.path["name"], call.path["driver"], after=q.after)
    return Reply(body=log)


@v1.route("POST", "qpus", P.QPUS_MANAGE, {201: rest.QpuDetail}, body=rest.QpuIn)
async def create_qpu(call: Call) -> Reply:
    """Register a QPU."""
    return Reply(body=await call.lab.qpus.create(call.person, call.body), status=201)


@v1.route("PATCH", "qpus/{name}", P.QPUS_OPERATE, {200: rest.QpuDetail}, body=rest.QpuChange)
async def change_qpu(call: Call) -> Reply:
    """Enable or disable a QPU, hold it, put it into maintenance, describe it."""
    return Reply(body=await call.lab.qpus.change(call.person, call.path["name"], call.body))


@v1.route("DELETE", "qpus/{name}", P.QPUS_MANAGE, {200: rest.QpuList})
async def delete_qpu(call: Call) -> Reply:
    """Take a QPU out of the lab with its drivers, once nothing waits for it; its history stays."""
    return Reply(body=await call.lab.bench.delete_qpu(call.person, call.path["name"]))


@v1.route("GET", "drivers", P.DRIVERS_MANAGE, {200: bench.DriverList})
async def list_drivers(call: Call) -> Reply:
    """Every driver and whether it is linked."""
    return Reply(body=await call.lab.bench.drivers(call.person))


@v1.route("POST", "drivers", P.DRIVERS_MANAGE, {201: rest.DriverRegistered}, body=rest.DriverIn)
async def register_driver(call: Call) -> Reply:
    """Register a driver of a QPU; only this answer shows its token."""
    registered = await call.lab.people.register_driver(
        call.person, call.body, address=call.site.address(), ca_fingerprint=call.site.ca_fingerprint()
    )
    return Reply(body=registered, status=201)


@v1.route("POST", "drivers/{name}/token", P.DRIVERS_MANAGE, {201: rest.DriverRegistered})
async def renew_driver(call: Call) -> Reply:
    """Give a driver a new token, which only this answer shows; its old one ends at once."""
    renewed = await call.lab.bench.renew(
        call.person, call.path["name"], address=call.site.address(), ca_fingerprint=call.site.ca_fingerprint()
    )
    return Reply(body=renewed, status=201)


@v1.route("DELETE", "drivers/{name}", P.DRIVERS_MANAGE, {200: bench.DriverList})
async def revoke_driver(call: Call) -> Reply:
    """Let a driver in no more."""
    return Reply(body=await call.lab.bench.revoke(call.person, call.path["name"]))


@v1.route("GET", "simulators", P.QPUS_MANAGE, {200: bench.SimulatorList})
async def list_simulators(call: Call) -> Reply:
    """The simulators that the lab's server runs."""
    return Reply(body=await call.lab.embedded.simulators(call.person))


@v1.route("POST", "simulators", P.QPUS_MANAGE, {201: bench.SimulatorList}, body=bench.SimulatorIn)
async def start_simulator(call: Call) -> Reply:
    """Start a simulator, now and whenever the lab starts."""
    return Reply(body=await call.lab.embedded.start(call.person, call.body), status=201)


@v1.route("DELETE", "simulators/{name}", P.QPUS_MANAGE, {200: bench.SimulatorList})
async def stop_simulator(call: Call) -> Reply:
    """Stop a simulator and forget it; its QPU stays."""
    return Reply(body=await call.lab.embedded.stop(call.person, call.path["name"]))
