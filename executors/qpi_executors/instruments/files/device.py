"""A chip that was read as the device of the executors, with the wiring it needs checked against the hardware."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qpi_executors.instruments.device import PORTS, Device, Drive, Edge, Qubit, Readout

from .chip import DURATION_S, Chip, Part
from .findings import Findings
from .wiring import Wiring


def device(chip: Chip, hardware: Mapping[str, Any] | None, findings: Findings, file: str) -> Device:
    """The device; qubits and edges that the hardware doesn't reach are faults, and left out.

    Raises
    ------
    Rejected
        a parameter that every pulse needs is missing, or no qubit is left; the message names the key.
    """
    qubits = dict(chip.made.qubits) if chip.made else {n: qubit(part, findings) for n, part in chip.elements.items()}
    wiring = None if hardware is None else Wiring(hardware, file, findings)
    if wiring is not None:
        reached = {name: one for name, one in qubits.items() if wiring.reaches(name, one)}
        if not reached:
            ports = ", ".join(port for one in qubits.values() for port in (one.microwave_port, one.readout_port))
            raise wiring.graph.refusal(f"reaches no qubit of the device, whose ports are {ports}")
        qubits = reached
        wiring.check(qubits)
    edges = {}
    for pair, part in chip.edges.items():
        if not set(pair) <= qubits.keys():
            findings.fault(part.node, "is left out: a qubit of it is not connected")
        elif wiring is None or wiring.fluxes(part.node, qubits[part.parent]):
            edges[pair] = chip.made.edges[pair] if chip.made else _edge(part, findings)
    return Device(name=chip.name, qubits=qubits, edges=edges, calibration_id=chip.calibration_id)


def qubit(part: Part, findings: Findings) -> Qubit:
    """One transmon out of its element."""
    t1, t2 = (_float(part, "coherence", key) or None for key in ("t1", "t2"))
    if t1 is not None and t2 is not None and t2 > 2 * t1:
        raise part.at("coherence", "t2").refusal(f"must be at most twice t1, not {t2:g} s")
    if part.get("coherence", "t1") == 0 or part.get("coherence", "t2") == 0:
        findings.assume(part.node, "has a coherence time of 0, taken as not known")
    if part.values.get("pulse_compensation"):
        findings.fault(part.node.child("pulse_compensation", None), "is set: pulses are not compensated here")
    ports = {kind: str(part.get("ports", kind) or f"{part.name}:{short}") for kind, short in PORTS.items()}
    drive = Drive(
        amp180=_need(part, "rxy", "amp180"), duration_s=_float(part, "rxy", "duration", DURATION_S),
        motzoi=_float(part, "rxy", "motzoi", 0.0),
    )  # fmt: skip
    return Qubit(
        f01_hz=_need(part, "clock_freqs", "f01"), f12_hz=_maybe(part, "clock_freqs", "f12"), drive=drive,
        readout_hz=_need(part, "clock_freqs", "readout"), readout=_readout(part, findings), t1_s=t1, t2_s=t2,
        reset_s=_float(part, "reset", "duration", 200e-6),
        microwave_port=ports["microwave"], flux_port=ports["flux"], readout_port=ports["readout"],
    )  # fmt: skip


_READOUT = {
    "amplitude": "pulse_amp", "duration_s": "pulse_duration", "acq_delay_s": "acq_delay",
    "integration_s": "integration_time", "rotation_deg": "acq_rotation", "threshold": "acq_threshold",
}  # fmt: skip


def _readout(part: Part, findings: Findings) -> Readout:
    for key, shape, instead in (
        ("acq_weight_type", "Numerical", "the signal is integrated evenly here, for which the threshold differs"),
        ("pulse_type", "SoftSquarePulse", "readout pulses are square here"),
    ):
        if part.get("measure", key) == shape:
            findings.fault(part.at("measure", key), f"is {shape}: {instead}")
    given = {name: value for name, key in _READOUT.items() if (value := _maybe(part, "measure", key)) is not None}
    missing = [key for name, key in list(_READOUT.items())[:4] if name not in given]
    if missing:
        findings.assume(part.node.child("measure", None), f"does not say {', '.join(missing)}: the defaults hold")
    usual = Readout()
    return Readout(
        amplitude=given.get("amplitude", usual.amplitude), duration_s=given.get("duration_s", usual.duration_s),
        acq_delay_s=given.get("acq_delay_s", usual.acq_delay_s),
        integration_s=given.get("integration_s", usual.integration_s), threshold=given.get("threshold", 0.0),
        rotation_deg=given.get("rotation_deg", 0.0) % 360,
    )  # fmt: skip


def _edge(part: Part, findings: Findings) -> Edge:
    if part.modulated:
        findings.fault(
            part.node,
            f"modulates a coupler: a CZ is a square pulse on the flux port of {part.parent} here; take the edge out to "
            "run without it",
        )
    return Edge(
        amplitude=_need(part, "cz", "square_amp"), duration_s=_need(part, "cz", "square_duration"),
        parent_phase_deg=_float(part, "cz", "parent_phase_correction", 0.0),
        child_phase_deg=_float(part, "cz", "child_phase_correction", 0.0),
    )  # fmt: skip


def _maybe(part: Part, section: str, key: str) -> float | None:
    value = part.get(section, key)
    return value if isinstance(value, float) else None


def _float(part: Part, section: str, key: str, default: float = 0.0) -> float:
    value = _maybe(part, section, key)
    return default if value is None else value


def _need(part: Part, section: str, key: str) -> float:
    value = _maybe(part, section, key)
    if value is None:
        raise part.at(section, key).refusal("is missing")
    return value
