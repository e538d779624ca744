"""A device file as it was written: elements and edges by their parameters, in quantify's names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from qpi_executors.instruments.device import Device

from .findings import Findings
from .shape import Reader, choice, flag, number, whole
from .tree import Node

CLASSES: Mapping[str, str] = {
    "BasicTransmonElement": "element", "FluxTunableTransmonElement": "element", "CalibratedTransmon": "element",
    "CompositeSquareEdge": "edge", "FluxTunableCoupler": "edge", "QuantumDevice": "device",
}  # fmt: skip
_SCHEDULERS = ("quantify_scheduler", "qblox_scheduler")
_MODULES = {
    "BasicTransmonElement": "transmon_element", "CompositeSquareEdge": "composite_square_edge",
    "QuantumDevice": "quantum_device",
}  # fmt: skip
_QPI = {"FluxTunableCoupler": "flux_tunable_coupler", "CalibratedTransmon": "calibrated_transmon"}
_LIBRARIES = ("quantify", "qblox")
PATHS: Mapping[str, str] = {
    **{name: name for name in CLASSES},
    **{f"{scheduler}.{name}": name for scheduler in _SCHEDULERS for name in _MODULES},
    **{
        f"{scheduler}.device_under_test.{module}.{name}": name
        for scheduler in _SCHEDULERS for name, module in _MODULES.items()
    },
    **{f"qpi_driver.compat.{library}.{name}": name for library in _LIBRARIES for name in _MODULES},
    **{
        f"qpi_driver.executors.{library}.elements.{module}.{name}": name
        for library in _LIBRARIES for name, module in _QPI.items()
    },
}  # fmt: skip
"""The class paths that device files name, and what they mean here. Nothing is ever imported by such a path."""

SECONDS, HERTZ, DEGREES = "s", "Hz", "degrees"
SHORTEST, LOWEST = 1e-9, 1e6
"""No pulse is shorter, in seconds, and no clock slower, in hertz: what is below is in another unit."""


def _weights(node: Node) -> object:
    """Weights of an acquisition, as a list, quantify's array or qblox-scheduler's in Base64; empty is not set."""
    if isinstance(node.value, list):
        return [part.number() for part in node.list()]
    if "deserialization_type" in node.mapping() or node.tag == "numpy.ndarray":
        return [part.number() for part in node.need("data").list()]
    import base64
    import struct

    node.only({"data", "shape", "dtype"})
    if node.need("dtype").text() != "float64":
        raise node.need("dtype").refusal("must be float64")
    text = node.need("data").value
    try:
        content = base64.b64decode(text, validate=True)
        return [
            part.number() for part in node.child("data", list(struct.unpack(f"<{len(content) // 8}d", content))).list()
        ]
    except (TypeError, ValueError, struct.error):
        raise node.need("data").refusal("must be float64 numbers in Base64") from None


def _label(node: Node) -> object:
    return node.whole(0, 10**6) if isinstance(node.value, int) else node.text()


def port(node: Node) -> object:
    """The name of a port."""
    if ":" not in node.text():
        raise node.refusal(f"must be a port such as q0:mw, not {node.value!r}")
    return node.value


ELEMENT: Mapping[str, Mapping[str, Reader]] = {
    "reset": {"duration": number(0, 1, SECONDS)},
    "rxy": {"amp180": number(-10, 10), "motzoi": number(-1, 1), "duration": number(SHORTEST, 1e-3, SECONDS)},
    "measure": {
        "pulse_type": choice("SquarePulse", "SoftSquarePulse"),
        "pulse_amp": number(0, 1), "pulse_duration": number(SHORTEST, 1e-3, SECONDS),
        "acq_channel": _label, "acq_delay": number(0, 100e-6, SECONDS),
        "integration_time": number(SHORTEST, 100e-6, SECONDS), "reset_clock_phase": flag,
        "acq_weights_a": _weights, "acq_weights_b": _weights, "acq_weights_sampling_rate": number(1, 10e9, HERTZ),
        "acq_weight_type": choice("SSB", "Numerical"),
        "acq_rotation": number(-1e6, 1e6, DEGREES), "acq_threshold": number(-1e12, 1e12),
        "num_points": whole(1, 10**9),
    },
    "ports": {"microwave": port, "flux": port, "readout": port},
    "clock_freqs": {name: number(LOWEST, 1e12, HERTZ) for name in ("f01", "f12", "readout")},
    "pulse_compensation": {
        "max_compensation_amp": number(0, 10), "time_grid": number(0, 1, SECONDS),
        "sampling_rate": number(0, 1e12, HERTZ),
    },
    "coherence": {"t1": number(0, 1, SECONDS), "t2": number(0, 1, SECONDS)},
}  # fmt: skip
"""An element's parameters, in quantify's names and bounds. ``coherence`` is for the twin alone."""
EDGE: Mapping[str, Mapping[str, Reader]] = {
    "cz": {
        "square_amp": number(-10, 10), "square_duration": number(SHORTEST, 1e-3, SECONDS),
        "parent_phase_correction": number(-1e6, 1e6, DEGREES), "child_phase_correction": number(-1e6, 1e6, DEGREES),
    },
    "clock_freqs": {"cz": number(-1e12, 1e12, HERTZ)},
}  # fmt: skip
LOOSE = frozenset({
    "spec", "resonator", "measure_2state", "measure_3state", "r12", "fine", "flux_params", "pi_half",
    "reference_magnitude", "depletion", "bias", "parking",
})  # fmt: skip
"""Sections of calibration routines: they are left out, and said to be where anything in them is set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """An element, or an edge with its ``parent`` and ``child``: values by section and parameter.

    A ``modulated`` edge drives a coupler between the two at a frequency of its own.
    """

    name: str
    node: Node
    values: Mapping[str, Mapping[str, object]]
    parent: str = ""
    child: str = ""
    modulated: bool = False

    def get(self, section: str, key: str) -> object:
        """A value, None where it is not set."""
        return self.values.get(section, {}).get(key)

    def at(self, section: str, key: str) -> Node:
        """Where a value stands, or would stand."""
        return self.node.child(section, None).child(key, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """All of a device file; edges by ``(parent, child)``. ``made`` is the device, where the file has it itself."""

    name: str
    elements: Mapping[str, Part]
    edges: Mapping[tuple[str, str], Part] = field(default_factory=dict)
    repetitions: int = 1024
    calibration_id: str = ""
    made: Device | None = None


def class_of(node: Node, kind: str) -> str:
    """The class that a file names at this key, by its name or its import path, if it is one for a ``kind``."""
    name = PATHS.get(node.text())
    if name is None or CLASSES[name] != kind:
        known = ", ".join(one for one, what in CLASSES.items() if what == kind)
        raise node.refusal(f"is {node.value[:100]!r}, which is not a known class of {kind}s (known: {known})")
    return name


def check_name(given: Node | None, name: str) -> None:
    """An element that says its name, too, must say the one under which it stands."""
    if given is not None and given.text() != name:
        raise given.refusal(f"is {given.value!r}, but the element stands under {name!r}")


def element(name: str, node: Node, findings: Findings, *, beside: frozenset[str] = frozenset()) -> Part:
    """An element by its sections; ``beside`` are keys of the file's own that stand among them."""
    if not name.isidentifier() or "_" in name:
        raise node.refusal("is not a name for an element: letters and digits, and no underscore")
    values = _sections(node, ELEMENT, findings, {"name", "element_type"} | beside)
    if "beta" in node.mapping().get("rxy", node.child("rxy", {})).mapping():
        _motzoi(node, values)
    return Part(name=name, node=node, values=values)


def edge(
    parent: str, child: str, node: Node, findings: Findings, kind: str, *, beside: frozenset[str] = frozenset()
) -> Part:
    """An edge of a class by its sections; phase corrections are named after the qubits or after their parts in it."""
    values = _sections(
        node, EDGE, findings, {"name", "edge_type", "parent_element_name", "child_element_name"} | beside,
        {"cz": {f"{parent}_phase_correction": "parent_phase_correction",
        f"{child}_phase_correction": "child_phase_correction"}},
    )  # fmt: skip
    return Part(
        name=f"{parent}_{child}", node=node, values=values, parent=parent, child=child,
        modulated=kind == "FluxTunableCoupler",
    )  # fmt: skip


def _motzoi(node: Node, values: dict[str, dict[str, object]]) -> None:
    """qblox-scheduler's ``beta`` (seconds) as quantify's ``motzoi``: ``beta = motzoi * duration / 8``."""
    beta = node.get("rxy", "beta")
    section = values.setdefault("rxy", {})
    if "motzoi" in section:
        raise node.need("rxy", "beta").refusal("and motzoi cannot both be set")
    duration = section.get("duration", DURATION_S)
    assert isinstance(duration, float)
    if beta is not None:
        limit = duration / 8 * (1 + 1e-9)
        section["motzoi"] = beta.number(-limit, limit, SECONDS) * 8 / duration


DURATION_S = 20e-9
"""How long a drive pulse takes where the file does not say: the libraries' own default."""
_ALIASES = {"measure": {"acq_label": "acq_channel"}}
_SKIPPED = {"rxy": {"beta"}}


def _sections(
    node: Node,
    known: Mapping[str, Mapping[str, Reader]],
    findings: Findings,
    beside: frozenset[str] | set[str],
    aliases: Mapping[str, Mapping[str, str]] = _ALIASES,
) -> dict[str, dict[str, object]]:
    node.only({*known, *LOOSE, *beside})
    values: dict[str, dict[str, object]] = {}
    for section, part in node.items():
        if section in LOOSE:
            if any(isinstance(one.value, (int, float)) and one.value for _, one in part.items()):
                findings.assume(part, "is left out: nothing here uses it")
        elif section in known:
            values[section] = _values(part, known[section], aliases.get(section, {}), _SKIPPED.get(section, set()))
    return values


def _values(
    part: Node, known: Mapping[str, Reader], aliases: Mapping[str, str], skipped: set[str]
) -> dict[str, object]:
    part.only({*known, *aliases, *skipped, "name"})
    found: dict[str, object] = {}
    for key, value in part.items():
        canonical = aliases.get(key, key)
        if canonical in found:
            raise value.refusal(f"and {canonical} cannot both be set")
        if canonical in known:
            found[canonical] = known[canonical](value)
    return found
