"""This project's own device files: JSON or YAML with the fields of `Device`, the twin's figures among them."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import msgspec

from qpi_executors.instruments.device import PORTS, Device, Drive, Edge, Qubit, Readout

from .chip import Chip, Part
from .quantum_device import by_pair
from .tree import Node

T = TypeVar("T", Qubit, Edge)
_NESTED = {"drive": Drive, "readout": Readout}


def is_device(root: Node) -> bool:
    """Whether it has qubits by their names."""
    return "qubits" in root.mapping()


def device(root: Node) -> Chip:
    """The chip with its device made; complex numbers are ``[re, im]``, edges are called ``PARENT_CHILD``."""
    root.only({"name", "qubits", "edges", "calibration_id"})
    nodes = dict(root.need("qubits").items())
    if not nodes:
        raise root.need("qubits").refusal("is empty: there is no qubit")
    qubits = {name: _wired(name, _made(node, Qubit)) for name, node in nodes.items()}
    edges, parts = {}, []
    given = root.get("edges")
    for name, node in given.items() if given else ():
        parent, _, child = name.partition("_")
        edge = edges[parent, child] = _made(node, Edge)
        parts.append(Part(name=name, node=node, values={"cz": _cz(edge)}, parent=parent, child=child))
    elements = {name: Part(name=name, node=nodes[name], values=_values(one)) for name, one in qubits.items()}
    pairs = by_pair(elements, parts)
    called, calibration = root.get("name"), root.get("calibration_id")
    made = Device(
        name=called.text() if called else "device", qubits=qubits, edges=edges,
        calibration_id=calibration.text() if calibration else "",
    )  # fmt: skip
    return Chip(name=made.name, elements=elements, edges=pairs, calibration_id=made.calibration_id, made=made)


def _made(node: Node, kind: type[T]) -> T:
    _only(node, kind)
    try:
        return msgspec.convert(node.value, kind, dec_hook=_complex)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `$")
        place = node
        for key in re.findall(r"[^.\[\]`]+", where):
            place = place.child(key, None)
        raise place.refusal(f"is wrong: {problem[:1].lower()}{problem[1:]}") from None


def _wired(name: str, qubit: Qubit) -> Qubit:
    """The qubit with its ports, which are named after it where the file does not say."""
    ports = {kind: getattr(qubit, f"{kind}_port") or f"{name}:{short}" for kind, short in PORTS.items()}
    return replace(
        qubit, microwave_port=ports["microwave"], flux_port=ports["flux"], readout_port=ports["readout"]
    )  # fmt: skip


def _only(node: Node, kind: type) -> None:
    """Refuse a key that the class does not have, which msgspec would pass over."""
    assert is_dataclass(kind)
    node.only({one.name for one in fields(kind)})
    for key, nested in _NESTED.items():
        if kind is Qubit and (part := node.get(key)) is not None:
            _only(part, nested)


def _complex(kind: type, value: Any) -> complex:  # Any: JSON
    if kind is complex and isinstance(value, list) and len(value) == 2:
        return complex(*value)
    raise ValueError(f"expected a pair of numbers, got {value!r}")


def _values(qubit: Qubit) -> dict[str, dict[str, object]]:
    drive, readout = qubit.drive, qubit.readout
    clocks: dict[str, object] = {"f01": qubit.f01_hz, "f12": qubit.f12_hz, "readout": qubit.readout_hz}
    return {
        "reset": {"duration": qubit.reset_s},
        "rxy": {"amp180": drive.amp180, "motzoi": drive.motzoi, "duration": drive.duration_s},
        "measure": {
            "pulse_amp": readout.amplitude, "pulse_duration": readout.duration_s, "acq_delay": readout.acq_delay_s,
            "integration_time": readout.integration_s, "acq_rotation": readout.rotation_deg,
            "acq_threshold": readout.threshold,
        },
        "ports": {
            "microwave": qubit.microwave_port, "flux": qubit.flux_port, "readout": qubit.readout_port,
        },
        "clock_freqs": {key: value for key, value in clocks.items() if value is not None},
        "coherence": {key: time for key, time in (("t1", qubit.t1_s), ("t2", qubit.t2_s)) if time is not None},
    }  # fmt: skip


def _cz(edge: Edge) -> dict[str, object]:
    return {
        "square_amp": edge.amplitude, "square_duration": edge.duration_s,
        "parent_phase_correction": edge.parent_phase_deg, "child_phase_correction": edge.child_phase_deg,
    }  # fmt: skip
