"""Tergite's files: the seed of a calibration, the backend's TOML, and the metadata of its instruments."""

from __future__ import annotations

import math
from collections.abc import Mapping

from .chip import Chip, Part
from .findings import Findings
from .quantum_device import by_pair
from .tree import Node

_CALIBRATIONS = ("calibration_config", "simulator_config")
_BACKEND = frozenset({"general_config", "device_config", "gates", *_CALIBRATIONS})
_UNITS: Mapping[str, Mapping[str, str]] = {
    "qubit": {"frequency": "Hz", "t1_decoherence": "s", "t2_decoherence": "s", "anharmonicity": "Hz",
              "pi_pulse_duration": "s", "pulse_sigma": "s", "pi_pulse_amplitude": "", "pulse_type": ""},
    "readout_resonator": {"acq_delay": "s", "acq_integration_time": "s", "frequency": "Hz", "pulse_delay": "s",
                          "pulse_duration": "s", "pulse_amplitude": "", "pulse_type": ""},
    "coupler": {"frequency": "Hz", "frequency_detuning": "Hz", "anharmonicity": "Hz", "coupling_strength_02": "Hz",
                "coupling_strength_12": "Hz", "cz_pulse_amplitude": "", "cz_pulse_dc_bias": "",
                "cz_pulse_phase_offset": "rad", "cz_pulse_duration_before": "s",
                "cz_pulse_duration_rise": "s", "cz_pulse_duration_constant": "s",
                "control_rz_lambda": "rad", "target_rz_lambda": "rad", "pulse_type": ""},
}  # fmt: skip
_ALSO = {"qubit": {"id", "x_position", "y_position", "xy_drive_line", "z_drive_line", "index"},
         "readout_resonator": {"id", "x_position", "y_position", "readout_line", "index"},
         "coupler": {"id"}}  # fmt: skip
Values = dict[str, dict[str, object]]


def is_file(root: Node) -> bool:
    """Whether it is a seed or the backend's file."""
    return bool(_BACKEND & root.mapping().keys())


def is_metadata(root: Node) -> bool:
    """Whether it says where instruments are."""
    return bool(root.mapping()) and all(
        isinstance(part.value, dict) and part.value.get("instrument_type") in ("Cluster", "SPI-Rack")
        and not any("module" in key and key != "modules" for key in part.value)
        for part in root.mapping().values()
    )  # fmt: skip


def addresses(root: Node, findings: Findings) -> dict[str, str]:
    """The address of each cluster of a metadata file; its racks of current sources are left out."""
    found = {}
    for name, node in root.mapping().items():
        if node.need("instrument_type").text() != "Cluster":
            findings.assume(node, "is left out: currents of a rack are set by the lab itself")
            continue
        node.only({"instrument_type", "ip_address", "is_dummy", "experiment_delay", "modules"})
        if (address := node.get("ip_address")) is not None:
            found[name] = address.text()
        if node.get("experiment_delay") is not None:
            findings.assume(node.need("experiment_delay"), "is left out: jobs follow one another without a pause")
    return found


def device(roots: list[Node], findings: Findings) -> Chip:
    """The chip of a seed, of the backend's file, or of both: the seed's values, with the couplers of the other."""
    calibration = _calibration(roots, findings)
    _check_units(roots)
    elements = {}
    readouts = {node.need("id").text(): node for node in _list(calibration, "readout_resonator")}
    for qubit in _list(calibration, "qubit"):
        name = qubit.need("id").text()
        if name in elements:
            raise qubit.need("id").refusal(f"is {name!r}, as that of another qubit")
        if name not in readouts:
            raise qubit.need("id").refusal(f"is {name!r}, for which there is no readout_resonator")
        elements[name] = _element(name, qubit, readouts[name], calibration, findings)
    if not elements:
        raise calibration.child("qubit", None).refusal("is missing or empty")
    general = next((found for root in roots if (found := root.get("general_config", "name"))), None)
    edges = _edges(roots, calibration, elements, findings)
    return Chip(name=general.text() if general else "device", elements=elements, edges=edges)


def _calibration(roots: list[Node], findings: Findings) -> Node:
    """The measured values of the seed, before those that the backend's file may have, before those of its simulator."""
    measured = [part for root in roots if (part := root.get("calibration_config")) is not None and _list(part, "qubit")]
    seeds = [part for part in measured if not any(root.file == part.file and _is_backend(root) for root in roots)]
    if len(seeds) > 1:
        raise seeds[1].refusal(f"stands in {seeds[0].file}, too: give one of the two files")
    for part in measured if seeds else ():
        if part is not seeds[0]:
            findings.assume(part, f"is left out: the values of {seeds[0].file} hold")
    simulated = [part for root in roots if (part := root.get("simulator_config")) is not None and _list(part, "qubit")]
    found = seeds or measured or simulated
    if not found:
        raise roots[0].child("calibration_config", None).refusal("is missing: give the calibration seed, too")
    if found is simulated:
        findings.assume(found[0], "has the values: no calibration_config does")
    return found[0]


def _is_backend(root: Node) -> bool:
    return bool({"general_config", "device_config"} & root.mapping().keys())


def _list(node: Node, key: str) -> list[Node]:
    found = node.get(key)
    return [part for part in found.list() if part.mapping()] if found else []


def _check_units(roots: list[Node]) -> None:
    for root in roots:
        for config in _CALIBRATIONS:
            units = root.get(config, "units")
            for kind, node in units.items() if units else ():
                for key, unit in node.items():
                    expected = _UNITS.get(kind, {}).get(key)
                    if expected is not None and unit.value != expected:
                        raise unit.refusal(f"must be {expected or 'empty'!r}, not {unit.value!r}")


def _element(name: str, qubit: Node, readout: Node, calibration: Node, findings: Findings) -> Part:
    qubit.only({*_UNITS["qubit"], *_ALSO["qubit"]})
    readout.only({*_UNITS["readout_resonator"], *_ALSO["readout_resonator"]})
    if "_" in name or not name.isidentifier():
        raise qubit.need("id").refusal("is not a name for a qubit: letters and digits, and no underscore")
    duration = qubit.need("pi_pulse_duration").number(1e-9, 1e-3, "s")
    f01 = qubit.need("frequency").number(1e6, 1e12, "Hz")
    clocks: dict[str, object] = {"f01": f01, "readout": readout.need("frequency").number(1e6, 1e12, "Hz")}
    if (anharmonicity := qubit.get("anharmonicity")) is not None:
        clocks["f12"] = f01 + anharmonicity.number(-1e9, 1e9, "Hz")
    _check_pulses(qubit, readout, duration, findings)
    measure: dict[str, object] = {
        "pulse_amp": readout.need("pulse_amplitude").number(0, 1),
        "pulse_duration": readout.need("pulse_duration").number(1e-9, 1e-3, "s"),
        "acq_delay": readout.need("acq_delay").number(0, 100e-6, "s"),
        "integration_time": readout.need("acq_integration_time").number(1e-9, 100e-6, "s"),
    }
    values: Values = {
        "rxy": {"amp180": qubit.need("pi_pulse_amplitude").number(-10, 10), "motzoi": 0.0, "duration": duration},
        "clock_freqs": clocks, "measure": {**measure, **_discriminator(name, calibration, findings)},
        "coherence": {
            kind: time.number(0, 1, "s")
            for kind in ("t1", "t2") if (time := qubit.get(f"{kind}_decoherence")) is not None
        },
    }  # fmt: skip
    findings.assume(qubit, "has no DRAG: rxy.motzoi is 0")
    return Part(name=name, node=qubit, values=values)


def _check_pulses(qubit: Node, readout: Node, duration: float, findings: Findings) -> None:
    for node, shape in ((qubit, "Gaussian"), (readout, "Square")):
        kind = node.get("pulse_type")
        if kind is not None and kind.text() != shape:
            raise kind.refusal(f"must be {shape}, not {kind.value!r}")
    sigma = qubit.get("pulse_sigma")
    if sigma is not None and not math.isclose(sigma.number(0, 1, "s"), duration / 8, rel_tol=1e-3):
        findings.fault(
            sigma, f"is {sigma.value:g} s, but pulses here have {duration / 8:g} s (pi_pulse_duration / 8): calibrate "
            "pi_pulse_amplitude again for that width",
        )  # fmt: skip
    delay = readout.get("pulse_delay")
    if delay is not None and delay.number(0, 1, "s"):
        findings.assume(delay, f"is {delay.value:g} s, and taken as 0: the readout pulse begins with the measurement")


def _discriminator(name: str, calibration: Node, findings: Findings) -> dict[str, object]:
    """``coef_0 I + coef_1 Q + intercept > 0`` reads 1, which is ``Re(iq e^(i a)) > threshold``."""
    line = calibration.get("discriminators", "lda", name)
    if line is None:
        return {}
    first, second, intercept = (line.need(key).number(-1e12, 1e12) for key in ("coef_0", "coef_1", "intercept"))
    size = math.hypot(first, second)
    if not size:
        raise line.need("coef_0").refusal("and coef_1 are both 0: they do not tell the two states apart")
    findings.assume(line, "reads 1 on its positive side")
    return {"acq_rotation": math.degrees(math.atan2(-second, first)) % 360, "acq_threshold": -intercept / size}


def _edges(
    roots: list[Node], calibration: Node, elements: Mapping[str, Part], findings: Findings
) -> dict[tuple[str, str], Part]:
    pairs = next((found for root in roots if (found := root.get("device_config", "coupling_dict"))), None)
    edges = []
    for node in _list(calibration, "coupler"):
        node.only({*_UNITS["coupler"], *_ALSO["coupler"]})
        name = node.need("id").text()
        pair = pairs.get(name) if pairs else None
        if pair is None:
            findings.assume(node, f"is left out: no device_config.coupling_dict says which qubits {name} couples")
            continue
        ends = [part.text() for part in pair.list()]
        if len(ends) != 2 or ends[0] == ends[1]:
            raise pair.refusal("must be the names of two qubits")
        if not set(ends) <= elements.keys():
            findings.assume(node, f"is left out: {' and '.join(ends)} are not both among the qubits")
        elif not (amplitude := node.need("cz_pulse_amplitude").number(-10, 10)):
            findings.assume(node, "is left out: its CZ is not calibrated (cz_pulse_amplitude is 0)")
        else:
            edges.append(_coupler(ends[0], ends[1], amplitude, node))
    return by_pair(elements, edges)


def _coupler(parent: str, child: str, amplitude: float, node: Node) -> Part:
    lengths = [node.need(f"cz_pulse_duration_{part}").number(0, 1e-3, "s") for part in ("rise", "constant")]
    cz: dict[str, object] = {"square_amp": amplitude, "square_duration": sum(lengths)}
    for which, key in (("parent", "control_rz_lambda"), ("child", "target_rz_lambda")):
        if (angle := node.get(key)) is not None:
            cz[f"{which}_phase_correction"] = math.degrees(angle.number(-1e6, 1e6, "rad"))
    values: Values = {"cz": cz, "clock_freqs": {"cz": node.need("frequency").number(0, 1e12, "Hz")}}
    return Part(name=f"{parent}_{child}", node=node, values=values, parent=parent, child=child, modulated=True)
