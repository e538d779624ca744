"""This project's own device files: JSON or YAML with the fields of `Device`, the twin's figures among them."""

from __future__ import annotations

from typing import Any

from qpi_executors.instruments.device import PORTS, Device, Drive, Edge, Qubit, Readout

from .chip import DEGREES, HERTZ, LOWEST, SECONDS, SHORTEST, Chip, Part, port
from .quantum_device import by_pair
from .shape import checked, number
from .tree import Node

_SHARE = number(0, 1)
_PULSE_S = number(SHORTEST, 1e-3, SECONDS)


def _point(node: Node) -> object:
    parts = node.list()
    if len(parts) != 2:
        raise node.refusal("must be a point [I, Q]")
    return complex(*(part.number(-1e6, 1e6) for part in parts))


def _centres(node: Node) -> object:
    parts = node.list()
    if len(parts) != 2:
        raise node.refusal("must be two points, of 0 and of 1")
    return tuple(_point(part) for part in parts)


_DRIVE = {"amp180": number(-10, 10), "duration_s": _PULSE_S, "motzoi": number(-1, 1)}
_READOUT = {
    "amplitude": _SHARE, "duration_s": _PULSE_S, "acq_delay_s": number(0, 100e-6, SECONDS),
    "integration_s": number(SHORTEST, 100e-6, SECONDS), "rotation_deg": number(-1e6, 1e6, DEGREES),
    "threshold": number(-1e12, 1e12), "centres": _centres, "sigma": number(0, 1e6), "p01": _SHARE, "p10": _SHARE,
}  # fmt: skip
_QUBIT: dict[str, Any] = {
    **dict.fromkeys(("f01_hz", "f12_hz", "readout_hz"), number(LOWEST, 1e12, HERTZ)),
    **dict.fromkeys(("t1_s", "t2_s"), number(SHORTEST, 1, SECONDS)), "gate_error": _SHARE,
    "reset_s": number(0, 1, SECONDS), **{f"{kind}_port": port for kind in PORTS}, "drive": _DRIVE, "readout": _READOUT,
}  # fmt: skip
_EDGE = {
    "amplitude": number(-10, 10), "duration_s": _PULSE_S, "parent_phase_deg": number(-1e6, 1e6, DEGREES),
    "child_phase_deg": number(-1e6, 1e6, DEGREES), "gate_error": _SHARE,
}  # fmt: skip


def is_device(root: Node) -> bool:
    """Whether it has qubits by their names."""
    return "qubits" in root.mapping()


def device(root: Node) -> Chip:
    """The chip with its device made; complex numbers are ``[re, im]``, edges are called ``PARENT_CHILD``."""
    root.only({"name", "qubits", "edges", "calibration_id"})
    nodes = dict(root.need("qubits").items())
    if not nodes:
        raise root.need("qubits").refusal("is empty: there is no qubit")
    qubits = {name: _qubit(name, node) for name, node in nodes.items()}
    edges, parts = {}, []
    given = root.get("edges")
    for name, node in given.items() if given else ():
        parent, _, child = name.partition("_")
        node.need("amplitude")
        edge = edges[parent, child] = Edge(**checked(node, _EDGE))
        parts.append(Part(name=name, node=node, values={"cz": edge.cz}, parent=parent, child=child))
    pairs = by_pair(qubits, parts)
    called, calibration = root.get("name"), root.get("calibration_id")
    made = Device(
        name=called.text() if called else "device", qubits=qubits, edges=edges,
        calibration_id=calibration.text() if calibration else "",
    )  # fmt: skip
    elements = {
        name: Part(name=name, node=nodes[name], values={**made.element(name), "coherence": _coherence(one)})
        for name, one in qubits.items()
    }
    return Chip(name=made.name, elements=elements, edges=pairs, calibration_id=made.calibration_id, made=made)


def _qubit(name: str, node: Node) -> Qubit:
    """A qubit with its ports, which are named after it where the file does not say."""
    if not name.isidentifier() or "_" in name:
        raise node.refusal("is not a name for a qubit: letters and digits, and no underscore")
    for needed in (("f01_hz",), ("readout_hz",), ("drive", "amp180")):
        node.need(*needed)
    values = {**{f"{kind}_port": f"{name}:{short}" for kind, short in PORTS.items()}, **checked(node, _QUBIT)}
    if values.get("t1_s") is not None and values.get("t2_s", 0) > 2 * values["t1_s"]:
        raise node.need("t2_s").refusal(f"must be at most twice t1_s, not {values['t2_s']:g} s")
    readout = values.pop("readout", {})
    readout["rotation_deg"] = readout.get("rotation_deg", 0.0) % 360
    return Qubit(drive=Drive(**values.pop("drive")), readout=Readout(**readout), **values)


def _coherence(qubit: Qubit) -> dict[str, object]:
    return {key: time for key, time in (("t1", qubit.t1_s), ("t2", qubit.t2_s)) if time is not None}
