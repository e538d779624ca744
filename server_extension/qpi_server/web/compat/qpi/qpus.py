"""QPUs: QPI's own routes, and the collection ``qpus``."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from qpi_jupyter.core import NotFound, Rejected
from qpi_jupyter.core import Permission as P
from qpi_jupyter.wire.rest import QpuChange, QpuIn, QpuModel
from qpi_server.web.table import JSON, Call, Reply, Route

from .base import Body, Record, Toggle, api, record, rendered, request
from .paging import MAX_PER_PAGE, MAX_ROWS, Listing, RecordPage, View, ordered, paged, picked
from .programs import ANY_QPU

QPU_FIELDS = frozenset({"id", "name", "status", "num_qubits", "enabled", "created", "updated"})


class Qpus(Struct, kw_only=True):
    """``GET qpus``."""

    skip: Annotated[int, Meta(ge=0, lt=MAX_ROWS)] = 0
    limit: int = 0
    sort: Annotated[str, Meta(max_length=200)] = "name"


class NewQpu(Body):
    """``POST op/qpus/create``. What runs there, and how many qubits it really has, its driver says."""

    name: str
    num_qubits: int | None = None
    enabled: bool | None = None


@api.route("GET", "qpus", P.QPUS_READ, {200: JSON}, query=Qpus)
async def qpi_list_qpus(call: Call, wanted: Qpus) -> Reply:
    """The QPUs that are online."""
    size = wanted.limit if 0 < wanted.limit < MAX_PER_PAGE else MAX_PER_PAGE
    online = [found for found in await _records(call) if found["status"] == "online"]
    return Reply(body=ordered(online, wanted.sort, QPU_FIELDS)[wanted.skip : wanted.skip + size])


@api.route("GET", "qpus/{name}", P.QPUS_READ, {200: JSON})
async def qpi_get_qpu(call: Call) -> Reply:
    """One QPU by its name; ``qpi`` is whichever the lab would choose."""
    name = call.path["name"]
    qpus = (await call.lab.qpus.list(call.person)).qpus
    for qpu in qpus:
        if qpu.name == name:
            return Reply(body=qpu_record(qpu))
    if name == ANY_QPU:
        return Reply(body=qpu_record(_chosen(qpus), name=ANY_QPU))
    raise NotFound(f"There is no QPU called {name!r}.", code="unknown_qpu")


@api.route("POST", "op/qpus/create", P.QPUS_MANAGE, {201: JSON}, body=NewQpu)
async def qpi_create_qpu(call: Call, wanted: NewQpu) -> Reply:
    """Register a QPU."""
    new = request(QpuIn, name=wanted.name, num_qubits=wanted.num_qubits or None)
    qpu = await call.lab.qpus.create(call.person, new)
    if wanted.enabled is False:
        qpu = await call.lab.qpus.change(call.person, qpu.name, QpuChange(enabled=False))
    return Reply(body=_short(qpu), status=201)


@api.route("POST", "op/qpus/connect", P.QPUS_MANAGE, {}, refuses=(410,))
async def qpi_connect_qpu(call: Call) -> Reply:
    """Gone from QPI itself, too."""
    raise Rejected(
        "A QPU is no longer connected by its access token: register a driver for it (POST op/drivers/create) and "
        "start that where the instrument is.",
        code="gone",
    )


_STATUS = {"disabled": "offline", "held": "maintenance"}
"""Of ours, what QPI has another word for."""


def qpu_record(qpu: QpuModel, *, name: str | None = None) -> Record:
    """A QPU as QPI has it: its name is its id."""
    return record(
        "qpus",
        name or qpu.name,
        {
            "name": name or qpu.name,
            "status": _STATUS.get(qpu.status, qpu.status),
            "num_qubits": qpu.num_qubits,
            "enabled": qpu.status != "disabled",
            "created": "",
            "updated": "",
        },
    )


def _short(qpu: QpuModel) -> Record:
    found = qpu_record(qpu)
    return {name: found[name] for name in ("id", "name", "status", "enabled")}


def _chosen(qpus: list[QpuModel]) -> QpuModel:
    """The largest QPU that a job without a target may come to."""
    if len(qpus) == 1:
        return qpus[0]
    simulators = [qpu for qpu in qpus if qpu.simulator and qpu.status in ("online", "offline")]
    if not simulators:
        raise NotFound("No simulator is available; name a QPU.", code="no_target")
    return max(simulators, key=lambda qpu: (qpu.status == "online", qpu.num_qubits))


async def _records(call: Call) -> list[Record]:
    return [qpu_record(qpu) for qpu in (await call.lab.qpus.list(call.person)).qpus]


api.serve(
    Route("qpi_toggle_qpu", "POST", "op/qpu/toggle", P.QPUS_OPERATE, {200: JSON},
          "Switch a QPU on or off: nothing starts on one that is off.",
          lambda c: rendered(_short, c.lab.qpus.change(c.person, c.body.id, QpuChange(enabled=c.body.enabled))),
          body=Toggle),
    Route("qpi_list_qpu_records", "GET", "collections/qpus/records", P.QPUS_READ, {200: RecordPage},
          "A page of all QPUs.", lambda c: paged(c, _records(c), QPU_FIELDS), query=Listing),
    Route("qpi_get_qpu_record", "GET", "collections/qpus/records/{id}", P.QPUS_READ, {200: JSON},
          "One QPU's record.", picked(lambda c: rendered(qpu_record, c.lab.qpus.get(c.person, c.path["id"]))),
          query=View),
)  # fmt: skip
