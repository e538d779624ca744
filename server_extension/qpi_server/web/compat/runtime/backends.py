"""Backends: the lab's QPUs under their own names, and IBM's fake backends where a QPU of the lab runs them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from msgspec import UNSET, UnsetType, field

from qpi_jupyter.core import Manifest, NotFound
from qpi_jupyter.core import Permission as P
from qpi_jupyter.core.fakes import HOST, MOCK, NOISY, STATEVECTOR, STATEVECTOR_QUBITS, WAYS
from qpi_jupyter.wire.rest import Answer, QpuDetail, QpuModel
from qpi_server.web.table import JSON, Call

from . import catalogue
from .base import ROOT, SAMPLER, Body, runtime, stamp
from .catalogue import CONTROL_FLOW, Facts

_SINCE = datetime(2026, 1, 1, tzinfo=UTC)


class DeviceStatus(Answer):
    """Whether a backend is there."""

    name: str
    reason: str


class Device(Answer):
    """One backend in the list."""

    name: str
    status: DeviceStatus
    qubits: int
    physical_qubits: int
    queue_length: int
    is_simulator: bool = False
    processor_type: dict[str, Any] | None = None
    clops: dict[str, Any] | None = None
    performance_metrics: dict[str, Any] = field(default_factory=dict)
    wait_time_seconds: dict[str, Any] = field(default_factory=dict)
    class_: str | UnsetType = field(default=UNSET, name="class")


class RuntimeBackendsQuery(Body):
    """``GET backends``; ``include_mocks``: those for a dry run, too."""

    include_mocks: str = ""


class Devices(Answer):
    """All backends."""

    devices: list[Device]


class BackendState(Answer):
    """The status of one backend."""

    state: bool
    status: str
    message: str
    length_queue: int
    backend_version: str


class UsageOut(Answer):
    """QPU time used in this month and left, in seconds."""

    usage_consumed_seconds: float
    usage_limit_reached: bool
    instance_id: str
    plan_id: str
    usage_remaining_seconds: float | UnsetType = UNSET


@runtime.route("GET", f"{ROOT}/backends", P.QPUS_READ, {200: Devices}, query=RuntimeBackendsQuery)
async def runtime_backends(call: Call, query: RuntimeBackendsQuery) -> Devices:
    """Every backend that takes a primitive's job."""
    qpus = await call.lab.qpus.taking(call.person, SAMPLER)
    hosts = {how: host for how in WAYS if (host := _host(qpus, how)) is not None}
    everything = query.include_mocks.lower() == "true"  # IBM's client looks a name up in these
    listed = () if everything else call.lab.context.config.ibm_backends
    fakes = await asyncio.to_thread(catalogue.devices) if hosts else []
    devices = [
        *(_device(qpu.name, qpu, qpu.num_qubits) for qpu in qpus if qpu.executor != HOST),
        *(
            _device(f"{base}@{how}", host, facts["n_qubits"], processor_type=facts["processor_type"])
            for base, facts in fakes
            for how, host in hosts.items()
            if not listed or base in listed or f"{base}@{how}" in listed
        ),
    ]
    host = hosts.get(NOISY)
    if host is not None and (not listed or STATEVECTOR in listed):
        devices.append(_device(STATEVECTOR, host, STATEVECTOR_QUBITS, is_simulator=True))
    if everything and host is not None:
        real = {device.name: device for device in devices}
        devices += [
            _device(mock, host, real[name].qubits, class_="mock") for mock, name in catalogue.mocks(real).items()
        ]
    return Devices(devices=devices)


@runtime.route("GET", f"{ROOT}/backends/{{name}}/configuration", P.QPUS_READ, {200: JSON})
async def runtime_configuration(call: Call) -> bytes | Facts:
    """What a backend can do."""
    name, qpu = await found(call, call.path["name"])
    real, qpu = await _real(call, name, qpu)
    if real == STATEVECTOR:
        return catalogue.statevector(name)
    if real != qpu.name:
        return await asyncio.to_thread(catalogue.configuration, real, name)
    return configuration(qpu) | {"backend_name": name}


@runtime.route("GET", f"{ROOT}/backends/{{name}}/properties", P.QPUS_READ, {200: JSON})
async def runtime_properties(call: Call) -> bytes | Facts:
    """How well it does it; nothing where that is not known."""
    name, qpu = await found(call, call.path["name"])
    real, qpu = await _real(call, name, qpu)
    if real == STATEVECTOR:
        return {}
    if real != qpu.name:
        return await asyncio.to_thread(catalogue.properties, real, name)
    facts = properties(qpu, stamp(call.lab.context.now()))
    return facts | {"backend_name": name} if facts else facts


@runtime.route("GET", f"{ROOT}/backends/{{name}}/status", P.QPUS_READ, {200: BackendState})
async def runtime_status(call: Call) -> BackendState:
    """Whether a backend takes jobs, and how many wait."""
    _, qpu = await found(call, call.path["name"])
    return BackendState(
        state=qpu.status == "online",
        status="active" if qpu.status in ("online", "held") else qpu.status,
        message=qpu.reason, length_queue=qpu.queued + qpu.running,
        backend_version="" if qpu.manifest is None else qpu.manifest.executor_version,
    )  # fmt: skip


@runtime.route("GET", f"{ROOT}/instances/usage", P.TIME_READ, {200: UsageOut})
async def runtime_usage(call: Call) -> UsageOut:
    """The QPU time of who asks."""
    account = await call.lab.accounts.get(call.person, call.person.name)
    left = account.available_s
    return UsageOut(
        usage_consumed_seconds=account.used_s, usage_limit_reached=left is not None and left <= 0,
        instance_id="lab", plan_id="lab", usage_remaining_seconds=UNSET if left is None else left,
    )  # fmt: skip


async def found(call: Call, name: str) -> tuple[str, QpuDetail]:
    """The name of a backend, and the QPU that runs its jobs.

    Raises
    ------
    NotFound
        there is none that takes a primitive's job.
    """
    name = catalogue.named(name.replace("%40", "@"))
    qpus = await call.lab.qpus.taking(call.person, SAMPLER)
    if catalogue.known(name) or (name.startswith(MOCK) and name in _mocks(qpus)):
        how = catalogue.way(name)
        if (host := _host(qpus, how)) is not None:
            return name, host
        raise NotFound(
            f"No QPU of this lab runs {name}. A manager can start a simulator with the executor "
            f"{WAYS[how].executor}.",
            code="no_fake_backends",
        )  # fmt: skip
    qpu = next((qpu for qpu in qpus if qpu.name == name and qpu.executor != HOST), None)
    if qpu is None:
        message = f"There is no backend {name[:200]!r} here: service.backends() lists them."
        raise NotFound(message, code="unknown_backend")
    return name, qpu


def _mocks(qpus: Iterable[QpuDetail]) -> dict[str, str]:
    """For the name of each dry run, the backend that it is one of."""
    own = [qpu.name for qpu in qpus if qpu.executor != HOST]
    fakes = (f"{base}@{how}" for base, _ in catalogue.devices() for how in WAYS)
    return catalogue.mocks([*own, STATEVECTOR, *fakes])


async def _real(call: Call, name: str, host: QpuDetail) -> tuple[str, QpuDetail]:
    """The backend that a dry run is one of, and its QPU; any other backend is itself."""
    if not name.startswith(MOCK) or name == host.name:
        return name, host
    qpus = await call.lab.qpus.taking(call.person, SAMPLER)
    real = _mocks(qpus)[name]
    return real, next((qpu for qpu in qpus if qpu.name == real), host)


def _host(qpus: Iterable[QpuDetail], how: str) -> QpuDetail | None:
    """The QPU that runs jobs for fake backends so: one that is online, then the least busy."""

    def order(qpu: QpuDetail) -> tuple[bool, float]:
        return qpu.status != "online", (qpu.queued + qpu.running) / max(1, qpu.places)

    return min((qpu for qpu in qpus if qpu.executor == WAYS[how].executor), key=order, default=None)


def _device(name: str, qpu: QpuModel, qubits: int, **more: Any) -> Device:
    online = qpu.status in ("online", "held")
    return Device(
        name=name, status=DeviceStatus(name="online" if online else "offline", reason=qpu.reason or qpu.status),
        qubits=qubits, physical_qubits=qubits, queue_length=qpu.queued + qpu.running, **more,
    )  # fmt: skip


def configuration(qpu: QpuDetail) -> Facts:
    """A QPU as IBM describes a backend; ``simulator`` is false, or IBM's client leaves out its checks and sessions."""
    manifest = qpu.manifest
    assert manifest is not None, "a QPU without one takes no format"
    edges = None if manifest.coupling_map is None else [list(pair) for pair in manifest.coupling_map]
    instructions = ["measure", "delay", *(["reset"] if manifest.mid_circuit_measurement else [])]
    return {
        "backend_name": qpu.name,
        "backend_version": manifest.executor_version,
        "n_qubits": manifest.num_qubits,
        "basis_gates": list(manifest.basis_gates),
        "gates": _gates(manifest, edges),
        "coupling_map": edges,
        "supported_instructions": [*instructions, *(CONTROL_FLOW if manifest.control_flow else ())],
        "local": False,
        "simulator": False,
        "conditional": False,
        "open_pulse": False,
        "memory": True,
        "max_shots": manifest.max_shots,
        "meas_levels": list(manifest.meas_levels),
        "online_date": stamp(_SINCE),
        "description": qpu.description,
        **({"dt": manifest.dt_s * 1e9} if manifest.dt_s is not None else {}),
    }


def _gates(manifest: Manifest, edges: list[list[int]] | None) -> list[Facts]:
    """Where the gates act, as far as that is said: a gate on all qubits and pairs has no entry."""
    places: dict[str, list[list[int]]] = {}
    for one in manifest.gates:
        places.setdefault(one.gate, []).append(list(one.qubits))
    for name in manifest.basis_gates:
        if edges is not None and name not in places:
            width = _WIDTHS.get(name, 1)
            places[name] = edges if width == 2 else [[qubit] for qubit in range(manifest.num_qubits)]
    return [
        {"name": name, "parameters": [], "qasm_def": f"gate {name} {{}}", "coupling_map": where}
        for name, where in places.items()
        if name in manifest.basis_gates
    ]


_WIDTHS = dict.fromkeys(
    (
        "cx", "cy", "cz", "ch", "cp", "crx", "cry", "crz", "csx", "cu", "cu1", "cu3", "cs", "csdg", "dcx", "ecr",
        "iswap", "rxx", "ryy", "rzx", "rzz", "swap", "xx_minus_yy", "xx_plus_yy",
    ),
    2,
)  # fmt: skip
"""Standard gates of two qubits: on a QPU with edges they act on those."""


def properties(qpu: QpuDetail, at: str | None) -> Facts:
    """The calibration of a QPU as IBM writes it; where it does not have all its qubits, that these work: QRMI reads no
    empty one."""
    manifest = qpu.manifest
    assert manifest is not None, "a QPU without one takes no format"
    if len(manifest.qubits) != manifest.num_qubits:
        working = {"date": at, "name": "operational", "unit": "", "value": 1}
        return {
            "backend_name": qpu.name, "backend_version": manifest.executor_version, "last_update_date": at,
            "general": [], "qubits": [[working]] * manifest.num_qubits, "gates": [],
        }  # fmt: skip

    def entry(label: str, value: float | None, unit: str) -> list[Facts]:
        return [] if value is None else [{"date": at, "name": label, "unit": unit, "value": value}]

    def micro(seconds: float | None) -> float | None:
        return None if seconds is None else seconds * 1e6

    measured = {one.qubits: one for one in manifest.gates if one.gate == "measure"}
    return {
        "backend_name": qpu.name,
        "backend_version": manifest.executor_version,
        "last_update_date": at,
        "general": [],
        "qubits": [
            [
                *entry("T1", micro(qubit.t1_s), "us"),
                *entry("T2", micro(qubit.t2_s), "us"),
                *entry("frequency", None if qubit.frequency_hz is None else qubit.frequency_hz * 1e-9, "GHz"),
                *entry("readout_error", _readout_error(measured, index, qubit.readout_error), ""),
                *entry("readout_length", _readout_ns(measured, index), "ns"),
            ]
            for index, qubit in enumerate(manifest.qubits)
        ],
        "gates": [
            {
                "gate": one.gate,
                "name": f"{one.gate}{'_'.join(map(str, one.qubits))}",
                "qubits": list(one.qubits),
                "parameters": [
                    *entry("gate_error", one.error, ""),
                    *entry("gate_length", None if one.duration_s is None else one.duration_s * 1e9, "ns"),
                ],
            }
            for one in manifest.gates
            if one.gate != "measure"
        ],
    }


def _readout_error(measured: dict[tuple[int, ...], Any], index: int, given: float | None) -> float | None:
    own = measured.get((index,))
    return given if own is None or own.error is None else own.error


def _readout_ns(measured: dict[tuple[int, ...], Any], index: int) -> float | None:
    own = measured.get((index,))
    return None if own is None or own.duration_s is None else own.duration_s * 1e9
