"""One chip of two transmons and its cluster, as each family of files says it. The numbers are made up."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qpi_executors.instruments.device import Device, Drive, Edge, Qubit, Readout

QUANTIFY_TYPE = "quantify_scheduler.backends.qblox_backend.QbloxHardwareCompilationConfig"
QBLOX_TYPE = "QbloxHardwareCompilationConfig"
DRIVE_S = {"q3": 24e-9, "q7": 32e-9}
MOTZOI = {"q3": 0.08, "q7": -0.04}


def _qubit(name: str, f01: float, f12: float | None, readout: float, amp180: float, rotation: float) -> Qubit:
    return Qubit(
        f01_hz=f01, f12_hz=f12, readout_hz=readout, reset_s=180e-6,
        drive=Drive(amp180=amp180, duration_s=DRIVE_S[name], motzoi=MOTZOI[name]),
        readout=Readout(
            amplitude=0.18, duration_s=800e-9, acq_delay_s=120e-9, integration_s=700e-9, rotation_deg=rotation,
            threshold=0.004,
        ),
        microwave_port=f"{name}:mw", flux_port=f"{name}:fl", readout_port=f"{name}:res",
    )  # fmt: skip


QUBITS = {
    "q3": _qubit("q3", 4.42e9, 4.21e9, 6.93e9, 0.17, 41.5), "q7": _qubit("q7", 4.61e9, None, 6.99e9, 0.22, 350.0),
}  # fmt: skip
EDGE = Edge(amplitude=0.31, duration_s=36e-9, parent_phase_deg=-12.0, child_phase_deg=7.5)


def device(name: str = "two-transmons") -> Device:
    """What each device file below says."""
    return Device(name=name, qubits=QUBITS, edges={("q3", "q7"): EDGE})


def _sections(name: str, one: Qubit) -> dict[str, dict[str, Any]]:
    readout = one.readout
    return {
        "reset": {"duration": one.reset_s},
        "rxy": {"amp180": one.drive.amp180, "motzoi": one.drive.motzoi, "duration": one.drive.duration_s},
        "measure": {
            "pulse_type": "SquarePulse", "pulse_amp": readout.amplitude, "pulse_duration": readout.duration_s,
            "acq_channel": int(name[1:]), "acq_delay": readout.acq_delay_s, "integration_time": readout.integration_s,
            "reset_clock_phase": True, "acq_weight_type": "SSB", "acq_rotation": readout.rotation_deg,
            "acq_threshold": readout.threshold,
        },
        "ports": {"microwave": f"{name}:mw", "flux": f"{name}:fl", "readout": f"{name}:res"},
        "clock_freqs": {"f01": one.f01_hz, "f12": one.f12_hz, "readout": one.readout_hz},
    }  # fmt: skip


def _cz(parent: str, child: str) -> dict[str, float]:
    return {
        "square_amp": EDGE.amplitude, "square_duration": EDGE.duration_s,
        f"{parent}_phase_correction": EDGE.parent_phase_deg, f"{child}_phase_correction": EDGE.child_phase_deg,
    }  # fmt: skip


def quantify_json() -> dict[str, Any]:
    """quantify's ``QuantumDevice`` as it writes it now."""
    empty = {"deserialization_type": "ndarray", "mode": "__init__", "data": []}
    elements = {}
    for name, one in QUBITS.items():
        data: dict[str, Any] = {"name": name, **_sections(name, one)}
        data["measure"] |= {"acq_weights_a": empty, "acq_weights_b": empty, "acq_weights_sampling_rate": None}
        elements[name] = _quantify("BasicTransmonElement", data)
    edge = {"parent_element_name": "q3", "child_element_name": "q7", "cz": _cz("q3", "q7")}
    return {
        "deserialization_type": "quantify_scheduler.QuantumDevice",
        "data": {
            "name": "two-transmons", "elements": elements, "cfg_sched_repetitions": "2048",
            "edges": {"q3_q7": _quantify("CompositeSquareEdge", edge)},
        },
    }  # fmt: skip


def _quantify(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    return {"deserialization_type": f"quantify_scheduler.{name}", "mode": "__init__", "data": data}


def old_quantify_json() -> dict[str, Any]:
    """The same of the generation before: each element and edge is a text."""
    found = deepcopy(quantify_json())
    for kind in ("elements", "edges"):
        found["data"][kind] = {name: json.dumps(one) for name, one in found["data"][kind].items()}
    return found


def qblox_json(embedded: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """qblox-scheduler's device, which may have the hardware configuration in it."""
    elements = {}
    for name, one in QUBITS.items():
        sections = _sections(name, one)
        sections["rxy"] = {**sections["rxy"], "beta": one.drive.motzoi * one.drive.duration_s / 8}
        del sections["rxy"]["motzoi"]
        measure = sections["measure"]
        measure["acq_label"] = measure.pop("acq_channel")
        empty = {"data": "", "shape": [0], "dtype": "float64"}
        measure |= {"acq_weights_a": empty, "acq_weights_b": empty}
        if one.f12_hz is None:
            sections["clock_freqs"]["f12"] = float("nan")
        elements[name] = {
            "name": name, "element_type": "BasicTransmonElement",
            **{key: {**values, "name": key} for key, values in sections.items()},
        }  # fmt: skip
    cz = {
        "square_amp": EDGE.amplitude, "square_duration": EDGE.duration_s, "name": "cz",
        "parent_phase_correction": EDGE.parent_phase_deg, "child_phase_correction": EDGE.child_phase_deg,
    }  # fmt: skip
    edge = {
        "name": "q3_q7", "edge_type": "CompositeSquareEdge", "parent_element_name": "q3", "child_element_name": "q7",
        "cz": cz,
    }  # fmt: skip
    found = {"name": "two-transmons", "elements": elements, "edges": {"q3_q7": edge}, "cfg_sched_repetitions": 2048}
    return found if embedded is None else {**found, "hardware_config": embedded}


def _yaml(values: Mapping[str, Any], indent: int) -> str:
    lines = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            lines.append(f"{' ' * indent}{key}:\n{_yaml(value, indent + 2)}")
        elif value is None:
            lines.append(f"{' ' * indent}{key}: .nan")
        else:
            lines.append(f"{' ' * indent}{key}: {str(value).lower() if isinstance(value, bool) else value}")
    return "\n".join(lines)


def tagged_yaml(library: str) -> str:
    """Either library's device as YAML with tags."""
    text = "!QuantumDevice\nname: two-transmons\nelements:\n"
    for name, one in QUBITS.items():
        sections = _sections(name, one)
        if library == "qblox":
            sections["rxy"]["beta"] = sections["rxy"].pop("motzoi") * one.drive.duration_s / 8
            sections["measure"]["acq_label"] = sections["measure"].pop("acq_channel")
        text += f"  {name}: !BasicTransmonElement\n    name: {name}\n{_yaml(sections, 4)}\n"
        if library == "quantify":
            arrays = (
                "      acq_weights_a: !numpy.ndarray\n        dtype: float64\n        shape: [0]\n        data: []\n"
            )
            text = text.replace("    measure:\n      pulse_type", f"    measure:\n{arrays}      pulse_type", 1)
    cz = _cz("q3", "q7")
    if library == "qblox":
        cz = {key.replace("q3", "parent").replace("q7", "child"): value for key, value in cz.items()}
    names = "    parent_element_name: q3\n    child_element_name: q7\n"
    return f"{text}edges:\n  q3_q7: !CompositeSquareEdge\n{names}    cz:\n{_yaml(cz, 6)}\ncfg_sched_repetitions: 2048\n"


def qpi_yaml(coupler: bool = False) -> str:
    """QPI's device file, with a number that only YAML 1.2 takes for one; ``coupler`` makes the edge a coupler's."""
    path = "quantify_scheduler.device_under_test.transmon_element.BasicTransmonElement"
    text = "# two transmons\n"
    for name, one in QUBITS.items():
        given = f"args:\n      - {name}" if name == "q3" else f"kwargs:\n      name: {name}"
        sections = {key: values for key, values in _sections(name, one).items() if key != "ports"}
        text += f'{name}:\n  element_type:\n    path: "{path}"\n    {given}\n{_yaml(sections, 2)}\n'
    kind = "quantify_scheduler.device_under_test.composite_square_edge.CompositeSquareEdge"
    extra = ""
    if coupler:
        kind = "qpi_driver.executors.quantify.elements.flux_tunable_coupler.FluxTunableCoupler"
        extra = "  clock_freqs:\n    cz: 3.6e9\n"
    names = "    kwargs:\n      parent_element_name: q3\n      child_element_name: q7\n"
    text += (
        f'q3_q7:\n  element_type:\n    path: "{kind}"\n    args:\n{names}{extra}  cz:\n{_yaml(_cz("q3", "q7"), 4)}\n'
    )
    return text.replace("f01: 4420000000.0", "f01: 442e7")


def own_json() -> dict[str, Any]:
    """This project's own device file."""
    qubits = {
        name: {
            "f01_hz": one.f01_hz, "f12_hz": one.f12_hz, "readout_hz": one.readout_hz, "reset_s": one.reset_s,
            "drive": {"amp180": one.drive.amp180, "duration_s": one.drive.duration_s, "motzoi": one.drive.motzoi},
            "readout": {
                "amplitude": one.readout.amplitude, "duration_s": one.readout.duration_s,
                "acq_delay_s": one.readout.acq_delay_s, "integration_s": one.readout.integration_s,
                "rotation_deg": one.readout.rotation_deg, "threshold": one.readout.threshold,
            },
        }
        for name, one in QUBITS.items()
    }  # fmt: skip
    edge = {
        "amplitude": EDGE.amplitude, "duration_s": EDGE.duration_s, "parent_phase_deg": EDGE.parent_phase_deg,
        "child_phase_deg": EDGE.child_phase_deg,
    }  # fmt: skip
    return {"name": "two-transmons", "qubits": qubits, "edges": {"q3_q7": edge}}


TERGITE_SEED = """
[calibration_config.units.qubit]
frequency = "Hz"
t1_decoherence = "s"

[[calibration_config.qubit]]
id = "q3"
t1_decoherence = 4.1e-5
t2_decoherence = 2.6e-5
frequency = 4.42e9
anharmonicity = -2.1e8
pi_pulse_amplitude = 0.17
pi_pulse_duration = 2.4e-8
pulse_type = "Gaussian"
pulse_sigma = 3e-9

[[calibration_config.qubit]]
id = "q7"
t1_decoherence = 0
t2_decoherence = 0
frequency = 4.61e9
pi_pulse_amplitude = 0.22
pi_pulse_duration = 3.2e-8
pulse_type = "Gaussian"
pulse_sigma = 4e-9

[[calibration_config.readout_resonator]]
id = "q3"
acq_delay = 1.2e-7
acq_integration_time = 7e-7
frequency = 6.93e9
pulse_amplitude = 0.18
pulse_delay = 0.0
pulse_duration = 8e-7
pulse_type = "Square"

[[calibration_config.readout_resonator]]
id = "q7"
acq_delay = 1.2e-7
acq_integration_time = 7e-7
frequency = 6.99e9
pulse_amplitude = 0.18
pulse_delay = 0.0
pulse_duration = 8e-7
pulse_type = "Square"

[[calibration_config.coupler]]
id = "u0"
frequency = 6.2e9
cz_pulse_amplitude = 0.31
cz_pulse_duration_before = 0.0
cz_pulse_duration_rise = 6e-9
cz_pulse_duration_constant = 30e-9
control_rz_lambda = 0.5
target_rz_lambda = -0.25
pulse_type = "wacqt_cz_gate_pulse"

[calibration_config.discriminators.lda.q3]
intercept = -2.0
coef_0 = 300.0
coef_1 = -400.0
"""
TERGITE_BACKEND = """
[general_config]
name = "two-transmons"

[device_config]
qubit_ids = ["q3", "q7"]

[device_config.coupling_dict]
u0 = ["q3", "q7"]
"""
TERGITE_METADATA = """
cluster1:
  instrument_type: Cluster
  ip_address: 192.0.2.7
  is_dummy: false
  modules:
    "2": {instrument_type: QCM_RF}
rack0:
  instrument_type: SPI-Rack
  port: /dev/ttyACM0
"""


def hardware(library: str = "qblox", *, graph: str = "pairs", version: str | None = "0.2") -> dict[str, Any]:
    """The cluster's configuration for a library; ``graph`` is ``pairs``, ``lists`` or ``node-link``."""
    found: dict[str, Any] = {
        "config_type": QBLOX_TYPE if library == "qblox" else QUANTIFY_TYPE,
        "hardware_description": {
            "cluster1": {
                "instrument_type": "Cluster", "ref": "internal", "ip": "192.0.2.7",
                "modules": {
                    "2": {"instrument_type": "QCM_RF"}, "5": {"instrument_type": "QCM"},
                    "9": {"instrument_type": "QRM_RF"},
                },
            }
        },
        "hardware_options": {
            "modulation_frequencies": {
                "q3:mw-q3.01": {"interm_freq": 120e6}, "q7:mw-q7.01": {"interm_freq": -90e6},
                "q3:res-q3.ro": {"lo_freq": 6.85e9, "interm_freq": None}, "q7:res-q7.ro": {"lo_freq": 6.85e9},
            },
            "output_att": {"q3:mw-q3.01": 6}, "latency_corrections": {"q3:mw-q3.01": 8e-9},
        },
        "connectivity": {"graph": _GRAPHS[graph]},
    }  # fmt: skip
    return found if version is None else {"version": version, **found}


_WIRES = [
    ["cluster1.module2.complex_output_0", "q3:mw"], ["cluster1.module2.complex_output_1", "q7:mw"],
    ["cluster1.module5.real_output_0", "q3:fl"], ["cluster1.module5.real_output_1", "q7:fl"],
    ["cluster1.module9.complex_output_0", "q3:res"], ["cluster1.module9.complex_output_0", "q7:res"],
    ["cluster1.module9.complex_input_0", "q3:res"], ["cluster1.module9.complex_input_0", "q7:res"],
]  # fmt: skip
_GRAPHS: Mapping[str, Any] = {
    "pairs": _WIRES,
    "lists": [
        *_WIRES[:4], ["cluster1.module9.complex_output_0", ["q3:res", "q7:res"]],
        [["cluster1.module9.complex_input_0"], ["q3:res", "q7:res"]],
    ],
    "node-link": {
        "directed": False, "multigraph": False, "graph": {},
        "nodes": [{"id": name} for name in sorted({end for wire in _WIRES for end in wire})],
        "links": [{"source": a, "target": b} for a, b in _WIRES],
    },
}  # fmt: skip


def old_hardware() -> dict[str, Any]:
    """The same cluster in the form from before ``hardware_description``, with the address where today's form has it."""

    def port(name: str, kind: str, clock: str, **more: Any) -> dict[str, Any]:
        return {"port": f"{name}:{kind}", "clock": clock, **more}

    flux = "cl0.baseband"
    readouts = [port(name, "res", f"{name}.ro", interm_freq=None) for name in QUBITS]
    return {
        "backend": "quantify_scheduler.backends.qblox_backend.hardware_compile",
        "latency_corrections": {"q3:mw-q3.01": 8e-9},
        "cluster1": {
            "ref": "internal", "instrument_type": "Cluster", "ip": "192.0.2.7",
            "cluster1_module2": {
                "instrument_type": "QCM_RF",
                "complex_output_0": {
                    "output_att": 6, "lo_freq": None,
                    "portclock_configs": [port("q3", "mw", "q3.01", interm_freq=120e6)],
                },
                "complex_output_1": {"portclock_configs": [port("q7", "mw", "q7.01", interm_freq=-90e6)]},
            },
            "cluster1_module5": {
                "instrument_type": "QCM",
                "real_output_0": {"portclock_configs": [port("q3", "fl", flux)]},
                "real_output_1": {"portclock_configs": [port("q7", "fl", flux)]},
            },
            "cluster1_module9": {
                "instrument_type": "QRM_RF",
                "complex_output_0": {"lo_freq": 6.85e9, "portclock_configs": readouts},
            },
        },
    }  # fmt: skip


DEVICES: Mapping[str, tuple[str, str]] = {
    "quantify.json": ("device.json", json.dumps(quantify_json())),
    "quantify-old.json": ("device.json", json.dumps(old_quantify_json())),
    "quantify.yaml": ("device.yaml", tagged_yaml("quantify")),
    "qblox.json": ("device.json", json.dumps(qblox_json())),
    "qblox.yaml": ("device.yaml", tagged_yaml("qblox")),
    "qpi.yml": ("device.yml", qpi_yaml()),
    "own.json": ("device.json", json.dumps(own_json())),
}
"""A file's name and its text by family; `device` is what they say."""
HARDWARE: Mapping[str, tuple[str, str]] = {
    "pairs": ("hardware.json", json.dumps(hardware())),
    "pairs of lists": ("hardware.json", json.dumps(hardware("quantify", graph="lists"))),
    "node-link": ("hardware.json", json.dumps(hardware(graph="node-link"))),
    "no version": ("hardware.json", json.dumps(hardware("quantify", version=None))),
    "before 0.1": ("hardware.json", json.dumps(old_hardware())),
    "tagged YAML": (
        "hardware.yaml",
        "!QbloxHardwareCompilationConfig\n" + json.dumps({k: v for k, v in hardware().items() if k != "config_type"}),
    ),
}  # fmt: skip
"""The same of the cluster."""


Change = Callable[[dict[str, Any]], object]


def write(folder: Path, name: str, content: object) -> Path:
    """A file with this text, or this value as JSON."""
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def cluster(folder: Path, change: Change = lambda tree: None, **shape: Any) -> Path:
    """The hardware file, changed."""
    tree = deepcopy(hardware(**shape))
    change(tree)
    return write(folder, "hardware.json", tree)


def chip(folder: Path, change: Change = lambda tree: None) -> Path:
    """quantify's device file, changed."""
    tree = deepcopy(quantify_json())
    change(tree)
    return write(folder, "device.json", tree)


def element(tree: Mapping[str, Any], name: str = "q3") -> dict[str, Any]:
    """The parameters of one element of that file."""
    data: dict[str, Any] = tree["data"]["elements"][name]["data"]
    return data


def same(found: Device, expected: Device) -> None:
    """Fail where the two say different things, but for the last digits of a converted derivative."""
    assert found.edges == expected.edges
    assert found.names == expected.names
    for name, one in found.qubits.items():
        wanted = expected.qubits[name]
        assert one.drive.motzoi == pytest.approx(wanted.drive.motzoi, rel=1e-12)
        assert replace(one, drive=wanted.drive) == wanted
        assert replace(one.drive, motzoi=wanted.drive.motzoi) == wanted.drive
