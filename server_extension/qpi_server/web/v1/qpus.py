"""QPUs: their drivers, the simulators that the lab's server runs, what they offer, and which of them the lab trusts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from qpi_jupyter.core import MAX_QUBITS, Quantity
from qpi_jupyter.core import Permission as P
from qpi_jupyter.core.capabilities import Availability
from qpi_jupyter.wire import bench, previews, rest, services, telemetry
from qpi_server.service.telemetry import MAX_POINTS
from qpi_server.web.table import Route

from .base import Cursor, PageQuery, Query, Text, v1


class LogQuery(Query):
    """``GET qpus/{name}/drivers/{driver}/log``: the lines after the ``seq`` of one."""

    after: Cursor = 0


v1.serve(
    Route("list_qpus", "GET", "qpus", P.QPUS_READ, {200: rest.QpuList},
          "Every QPU.", lambda c: c.lab.qpus.list(c.person)),
    Route("get_qpu", "GET", "qpus/{name}", P.QPUS_READ, {200: rest.QpuDetail},
          "One QPU and its manifest.", lambda c: c.lab.qpus.get(c.person, c.path["name"])),
    Route("list_qpu_drivers", "GET", "qpus/{name}/drivers", P.QPUS_READ, {200: telemetry.QpuDriverList},
          "The drivers of a QPU; which machines they run on, for whoever operates QPUs.",
          lambda c: c.lab.qpus.drivers(c.person, c.path["name"])),
    Route("get_driver_log", "GET", "qpus/{name}/drivers/{driver}/log", P.QPUS_OPERATE, {200: telemetry.DriverLog},
          "The last lines of a driver's own log: it may name anybody's jobs.",
          lambda c: c.lab.driver_logs.tail(c.person, c.path["name"], c.path["driver"], **c.given),
          query=LogQuery),
    Route("create_qpu", "POST", "qpus", P.QPUS_MANAGE, {201: rest.QpuDetail},
          "Register a QPU.", lambda c: c.lab.qpus.create(c.person, c.body), body=rest.QpuIn),
    Route("change_qpu", "PATCH", "qpus/{name}", P.QPUS_OPERATE, {200: rest.QpuDetail},
          "Enable or disable a QPU, hold it, put it into maintenance, describe it.",
          lambda c: c.lab.qpus.change(c.person, c.path["name"], c.body), body=rest.QpuChange),
    Route("delete_qpu", "DELETE", "qpus/{name}", P.QPUS_MANAGE, {200: rest.QpuList},
          "Take a QPU out of the lab with its drivers, once nothing waits for it; its history stays.",
          lambda c: c.lab.bench.delete_qpu(c.person, c.path["name"])),
    Route("preview_job", "POST", "qpus/{name}/preview", P.JOBS_SUBMIT, {200: previews.PreviewModel},
          "What a program becomes on a QPU, what it would cost and whether it fits into the current booking.",
          lambda c: c.lab.previews.preview(c.person, c.path["name"], c.body), body=previews.PreviewIn),
    Route("list_drivers", "GET", "drivers", P.DRIVERS_MANAGE, {200: bench.DriverList},
          "Every driver and whether it is linked.", lambda c: c.lab.bench.drivers(c.person)),
    Route("register_driver", "POST", "drivers", P.DRIVERS_MANAGE, {201: rest.DriverRegistered},
          "Register a driver of a QPU; only this answer shows its token.",
          lambda c: c.lab.registration.register(c.person, c.body, address=c.site.public_address(),
                                               ca_fingerprint=c.site.ca_fingerprint()),
          body=rest.DriverIn),
    Route("renew_driver", "POST", "drivers/{name}/token", P.DRIVERS_MANAGE, {201: rest.DriverRegistered},
          "Give a driver a new token, which only this answer shows; its old one ends at once.",
          lambda c: c.lab.bench.renew(c.person, c.path["name"], address=c.site.public_address(),
                                     ca_fingerprint=c.site.ca_fingerprint())),
    Route("drain_driver", "POST", "drivers/{name}/drain", P.DRIVERS_MANAGE, {200: rest.DriverModel},
          "Have a driver finish what it runs, give back what it has not begun, and end.",
          lambda c: c.lab.drivers.drain(c.person, c.path["name"])),
    Route("revoke_driver", "DELETE", "drivers/{name}", P.DRIVERS_MANAGE, {200: bench.DriverList},
          "Let a driver in no more.", lambda c: c.lab.bench.revoke(c.person, c.path["name"])),
    Route("list_executors", "GET", "executors", P.QPUS_MANAGE, {200: bench.ExecutorList},
          "The executors that are installed beside the server, with their options as JSON Schema.",
          lambda c: c.lab.executors.executors(c.person)),
    Route("list_simulators", "GET", "simulators", P.QPUS_MANAGE, {200: bench.SimulatorList},
          "The simulators that the lab's server runs.", lambda c: c.lab.embedded.simulators(c.person)),
    Route("start_simulator", "POST", "simulators", P.QPUS_MANAGE, {201: bench.SimulatorList},
          "Start a simulator, now and whenever the lab starts.", lambda c: c.lab.embedded.start(c.person, c.body),
          body=bench.SimulatorIn),
    Route("stop_simulator", "DELETE", "simulators/{name}", P.QPUS_MANAGE, {200: bench.SimulatorList},
          "Stop a simulator and forget it; its QPU stays.",
          lambda c: c.lab.embedded.stop(c.person, c.path["name"])),
)  # fmt: skip


class ReadingsQuery(Query):
    """``GET qpus/{name}/readings``: one channel in ``[start, end)``, in about ``points`` steps; default: one hour."""

    channel: Text
    start: datetime | None = None
    end: datetime | None = None
    points: Annotated[int, Meta(ge=1, le=MAX_POINTS)] = 500


class CalibrationsQuery(PageQuery):
    """``GET qpus/{name}/calibrations``: those in ``[start, end)``, with the figures of one qubit or quantity, or
    all."""

    start: datetime | None = None
    end: datetime | None = None
    qubit: Annotated[int, Meta(ge=0, lt=MAX_QUBITS)] | None = None
    quantity: Quantity | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 100


v1.serve(
    Route("list_calibrations", "GET", "qpus/{name}/calibrations", P.QPUS_READ, {200: telemetry.CalibrationPage},
          "What a QPU was calibrated to over time.",
          lambda c: c.lab.calibrations.page(c.person, c.path["name"], **c.given), query=CalibrationsQuery),
    Route("list_channels", "GET", "qpus/{name}/channels", P.QPUS_READ, {200: telemetry.ChannelList},
          "What a QPU has readings of, with the newest of each.",
          lambda c: c.lab.telemetry.channels(c.person, c.path["name"])),
    Route("get_readings", "GET", "qpus/{name}/readings", P.QPUS_READ, {200: telemetry.Series},
          "One channel over time.",
          lambda c: c.lab.telemetry.series(c.person, c.path["name"], c.query.channel, start=c.query.start,
                                           end=c.query.end, points=c.query.points),
          query=ReadingsQuery),
)  # fmt: skip


class ServicesQuery(Query):
    """``GET services``: those that offer ``service`` at least as well as ``min_fidelity``, are so available, and were
    heard within three heartbeats, unless ``include_stale``."""

    service: Text | None = None
    min_fidelity: Annotated[float, Meta(ge=0, le=1)] = 0.0
    availability: Availability | None = None
    include_stale: bool = False


v1.serve(
    Route("list_services", "GET", "services", P.QPUS_READ, {200: services.ServiceList},
          "Which QPU offers what, how good it is and how busy.",
          lambda c: c.lab.services.services(c.person, **c.given), query=ServicesQuery),
    Route("list_enrollments", "GET", "enrollment", P.QPUS_READ, {200: services.EnrollmentList},
          "The QPUs that people added or that managers decided about; others than one's own for managers.",
          lambda c: c.lab.enrollment.list(c.person)),
    Route("enroll_qpu", "POST", "enrollment", P.QPUS_ENROLL, {201: services.Enrolled},
          "Add a QPU of one's own with a driver, whose token only this answer shows; a manager approves it.",
          lambda c: c.lab.enrollment.ask(c.person, c.body, address=c.site.public_address(),
                                         ca_fingerprint=c.site.ca_fingerprint()),
          body=services.EnrollmentIn),
    Route("decide_enrollment", "POST", "enrollment/{name}", P.QPUS_OPERATE, {200: services.Enrollment},
          "Approve a QPU, reject it, or put it into quarantine.",
          lambda c: c.lab.enrollment.decide(c.person, c.path["name"], c.body), body=services.EnrollmentAnswer),
)  # fmt: skip
