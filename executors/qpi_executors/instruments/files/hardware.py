"""Hardware configurations of both schedulers for a Qblox cluster, in one form, and as each library takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .findings import Findings
from .shape import Each, checked, choice, flag, number, numbers, refused, text, whole
from .tree import Node

LIBRARIES = ("qblox", "quantify")
CONFIG_TYPE: Mapping[str, str] = {
    "qblox": "QbloxHardwareCompilationConfig",
    "quantify": "quantify_scheduler.backends.qblox_backend.QbloxHardwareCompilationConfig",
}
_CONFIG_TYPES = frozenset({
    *CONFIG_TYPE.values(), "qblox_scheduler.backends.qblox_backend.QbloxHardwareCompilationConfig",
    "quantify_scheduler.qblox.QbloxHardwareCompilationConfig",
})  # fmt: skip
_FILTERS = ("scipy.signal.lfilter",)


def _names(kind: str, count: int) -> list[str]:
    return [f"{kind}_{k}" for k in range(count)]


CHANNELS: Mapping[str, frozenset[str]] = {
    "QCM": frozenset(_names("complex_output", 2) + _names("real_output", 4) + _names("digital_output", 4)),
    "QRM": frozenset(
        ["complex_output_0", "complex_input_0", *_names("real_output", 2), *_names("real_input", 2),
        *_names("digital_output", 4)]
    ),
    "QCM_RF": frozenset(_names("complex_output", 2) + _names("digital_output", 2)),
    "QRM_RF": frozenset(["complex_output_0", "complex_input_0", *_names("digital_output", 2)]),
    "QRC": frozenset(_names("complex_output", 6) + _names("complex_input", 2) + ["digital_output_0"]),
    "QTM": frozenset(_names("digital_input", 8) + _names("digital_output", 8)),
}  # fmt: skip
"""The channels of each kind of module."""
RF = frozenset({"QCM_RF", "QRM_RF", "QRC"})
"""Modules with local oscillators of their own."""
_DIGITAL = {"distortion_correction_latency_compensation": whole(0, 64)}
_REAL = {**_DIGITAL, "marker_debug_mode_enable": flag, "mix_lo": flag}
_CHANNEL = {"digital": _DIGITAL, "real": _REAL, "complex": {**_REAL, "downconverter_freq": number(0, 1e12, "Hz")}}
_EXTERNAL_TRIGGER = {
    "slot": whole(1, 20), "channel": whole(1, 8), "input_threshold": number(-10, 10, "V"),
    "trigger_timestamp": number(0, 1e9),
    "timeout": number(0, 1e6, "s"), "format": text, "edge_polarity": whole(0, 1), "sync_to_ref_clock": flag,
}  # fmt: skip


def _version(node: Node) -> object:
    """``0.1`` or ``0.2``, which YAML may have read as a number."""
    value = str(node.value) if isinstance(node.value, float) else node.value
    return Node(value, node.file, node.path).choice(("0.1", "0.2"))


def _isa(node: Node) -> object:
    return [part.whole(0, 1000) for part in node.list()]


def _module(node: Node) -> object:
    kind = node.need("instrument_type").choice(CHANNELS)
    shape: dict[str, Any] = {
        "instrument_type": text, "sequence_to_file": flag, "sequencer_isa_version": _isa,
        **{name: _CHANNEL[name.partition("_")[0]] for name in CHANNELS[kind]},
    }  # fmt: skip
    if kind in RF - {"QRC"}:
        shape["rf_output_on"] = lambda part: part.choice(("auto",)) if isinstance(part.value, str) else part.flag()
    return checked(node, shape)


def _modules(node: Node) -> object:
    for slot, part in node.items():
        if not slot.isdecimal() or not 1 <= int(slot[:4]) <= 20:
            raise part.refusal("is not a slot of a cluster, which are numbered from 1 to 20")
    return {str(int(slot)): _module(part) for slot, part in node.items()}


_INSTRUMENTS: Mapping[str, Mapping[str, Any]] = {
    "Cluster": {
        "instrument_type": text, "ref": choice("internal", "external"), "sequence_to_file": flag, "modules": _modules,
        "ip": text, "sync_on_external_trigger": _EXTERNAL_TRIGGER, "port": whole(1, 65535),
        "module_base_port": whole(1, 65535),
    },
    "LocalOscillator": {
        "instrument_type": text, "instrument_name": text, "generic_icc_name": text, "frequency_param": text,
        "power_param": text,
        "power": whole(-100, 100),
    },
    "IQMixer": {"instrument_type": text},
    "OpticalModulator": {"instrument_type": text},
}  # fmt: skip


def _instrument(node: Node) -> object:
    return checked(node, _INSTRUMENTS[node.need("instrument_type").choice(_INSTRUMENTS)])


def _gain(node: Node) -> object:
    if isinstance(node.value, dict):
        return checked(node, {"gain_I": whole(-6, 26), "gain_Q": whole(-6, 26)})
    return node.whole(-6, 26)


def _exponential(node: Node) -> object:
    """A list of what the instrument takes in quantify-scheduler, seconds and an amplitude in qblox-scheduler."""
    if isinstance(node.value, list):
        return numbers(node)
    return checked(node, {"time_constant": number(6e-9, 1, "s"), "amplitude": number(-1, 1)})


def _distortion(node: Node) -> object:
    if "filter_func" not in node.mapping():
        shape: dict[str, Any] = {"fir_coeffs": numbers, "ihp_coeffs": {"time_constant": number(10e-9, 7, "s")}}
        return checked(node, {**shape, **{f"exp{k}_coeffs": _exponential for k in range(4)}})
    return checked(node, {
        "filter_func": choice(*_FILTERS), "input_var_name": text, "kwargs": Each(numbers),
        "sampling_rate": number(1, 1e12, "Hz"),
        "clipping_values": lambda part: numbers(part) if part.value else [],
    })  # fmt: skip


_UNIT = number(-1, 1)
_OPTIONS: Mapping[str, Any] = {
    "crosstalk": Each(Each(number(-1e6, 1e6))),
    "latency_corrections": Each(number(-1e-3, 1e-3, "s")),
    "distortion_corrections": Each(_distortion),
    "modulation_frequencies": Each({"interm_freq": number(-1e9, 1e9, "Hz"), "lo_freq": number(0, 1e12, "Hz")}),
    "mixer_corrections": Each({
        "dc_offset_i": number(-10, 10), "dc_offset_q": number(-10, 10), "amp_ratio": number(0.5, 2),
        "phase_error": number(-45, 45, "degrees"),
        "auto_lo_cal": choice("off", "on_lo_freq_change", "on_lo_interm_freq_change"),
        "auto_sideband_cal": choice("off", "on_interm_freq_change"),
    }),
    "input_gain": Each(_gain), "output_att": Each(number(0, 120, "dB")), "input_att": Each(number(0, 120, "dB")),
    "sequencer_options": Each({
        "init_offset_awg_path_I": _UNIT, "init_offset_awg_path_Q": _UNIT, "init_gain_awg_path_I": _UNIT,
        "init_gain_awg_path_Q": _UNIT, "ttl_acq_threshold": number(-10, 10), "qasm_isa_version": _isa,
        "qasm_hook_func": refused("names code, which is not run from a file; take it out"),
    }),
    "digitization_thresholds": Each({"analog_threshold": number(-10, 10, "V")}),
    "net_zero_pulse_parameters": Each({"max_amplitude": number(0, 10), "slew_rate": number(0, 1e12)}),
}  # fmt: skip
_TOP = {
    "version": _version, "hardware_description": Each(_instrument), "hardware_options": _OPTIONS,
    "connectivity": lambda node: {"graph": graph(node.need("graph"))},
    "compiler_options": {
        "auto_rf_switch": flag, "auto_rf_switch_ramp_buffer": number(0, 1e-3, "s"), "retime_allowed": flag,
    },
    "allow_off_grid_nco_ops": flag,
}  # fmt: skip


def is_hardware(root: Node) -> bool:
    """Whether it is a hardware configuration of today's form."""
    known = {"config_type", "hardware_description", "hardware_options", "connectivity"}
    return root.tag == "QbloxHardwareCompilationConfig" or len(known & root.mapping().keys()) > 1


def hardware(root: Node, findings: Findings) -> dict[str, Any]:
    """The configuration in one form, without its ``config_type`` (Any: JSON); the graph is a list of pairs.

    Raises
    ------
    Rejected
        it is not for a Qblox cluster, lacks a part, has a key that is not known, or wires what is not described.
    """
    kind = root.get("config_type")
    if kind is not None and kind.text() not in _CONFIG_TYPES:
        raise kind.refusal(
            f"is {kind.value!r}: only configurations for Qblox clusters are read ({CONFIG_TYPE['qblox']})"
        )
    if kind is None and not root.tag:
        findings.assume(root.child("config_type", None), f"is missing, and taken as {CONFIG_TYPE['qblox']}")
    for part in ("hardware_description", "connectivity"):
        root.need(part)
    if root.get("compilation_passes") is not None:
        findings.assume(root.need("compilation_passes"), "is left out: the library's own passes are used")
    found: dict[str, Any] = checked(root, _TOP, {"config_type", "compilation_passes"})
    found.setdefault("hardware_options", {})
    _check_graph(root, found)
    return found


def graph(node: Node) -> list[list[str]]:
    """A connectivity as pairs of names, from pairs, pairs of lists, or networkx's node-link form."""
    pairs: list[tuple[Node, Node]] = []
    if isinstance(node.value, dict):
        links = node.get("links") or node.get("edges")
        if links is None:
            raise node.child("links", None).refusal("is missing")
        pairs = [(link.need("source"), link.need("target")) for link in links.list()]
    else:
        for edge in node.list():
            ends = edge.list()
            if len(ends) != 2:
                raise edge.refusal("must be a pair: a channel of an instrument, and what it is connected to")
            pairs += [(a, b) for a in _all(ends[0]) for b in _all(ends[1])]
    found: list[list[str]] = []
    for a, b in pairs:
        if [a.text(), b.text()] not in found:
            found.append([a.value, b.value])
    return found


def _all(node: Node) -> list[Node]:
    return node.list() if isinstance(node.value, list) else [node]


def _check_graph(root: Node, found: Mapping[str, Any]) -> None:
    node = root.need("connectivity", "graph")
    instruments: Mapping[str, Any] = found["hardware_description"]
    for end in (end for pair in found["connectivity"]["graph"] for end in pair):
        name, dot, rest = end.partition(".")
        if ":" in end and not dot:
            continue
        if not dot or name not in instruments:
            raise node.refusal(f"names {end!r}: hardware_description has no instrument {name!r}")
        if instruments[name]["instrument_type"] == "Cluster":
            _check_channel(node, end, rest, instruments[name].get("modules", {}))


def _check_channel(node: Node, end: str, rest: str, modules: Mapping[str, Any]) -> None:
    module, _, channel = rest.partition(".")
    slot = module.removeprefix("module")
    if not module.startswith("module") or slot not in modules:
        raise node.refusal(f"names {end!r}: hardware_description has no such module")
    kind = modules[slot]["instrument_type"]
    if channel not in CHANNELS[kind]:
        raise node.refusal(f"names {end!r}: a {kind} has no such channel (it has {', '.join(sorted(CHANNELS[kind]))})")


def for_library(found: Mapping[str, Any], library: str, file: str) -> dict[str, Any]:
    """The configuration as a library takes it (Any: JSON).

    Raises
    ------
    Rejected
        it uses what this library does not have; the message names the key.
    """
    root = Node(found, file)
    _only_quantify(root) if library == "quantify" else _only_qblox(root)
    result = {"config_type": CONFIG_TYPE[library], **found}
    if library == "quantify":
        for name in ("output_att", "input_att"):
            for part in _parts(root, "hardware_options", name):
                if part.number() != int(part.number()):
                    raise part.refusal(f"is {part.value:g} dB: quantify-scheduler takes whole numbers")
        result["hardware_options"] = {
            name: {key: int(value) for key, value in values.items()} if name in ("output_att", "input_att") else values
            for name, values in found["hardware_options"].items()
        }
    elif "compiler_options" in found:
        result["compiler_options"] = {
            key: value for key, value in found["compiler_options"].items() if key == "retime_allowed"
        }
    result.pop("allow_off_grid_nco_ops", None) if library == "qblox" else None
    return result


def _parts(root: Node, *keys: str) -> list[Node]:
    found = root.get(*keys)
    return [part for _, part in found.items()] if found else []


def _exponentials(root: Node) -> list[Node]:
    parts = _parts(root, "hardware_options", "distortion_corrections")
    return [node for part in parts for key, node in part.items() if key.startswith("exp")]


def _only_qblox(root: Node) -> None:
    options = root.get("compiler_options", "auto_rf_switch")
    for node, instead in (
        (options, "set rf_output_on: auto on the modules instead"),
        (root.get("allow_off_grid_nco_ops"), "take it out"),
    ):
        if node is not None and node.flag():
            raise node.refusal(f"is not an option of qblox-scheduler: {instead}")
    for node in _exponentials(root):
        if isinstance(node.value, list):
            raise node.refusal("is a list, as in quantify-scheduler: qblox-scheduler takes time_constant and amplitude")


def _only_quantify(root: Node) -> None:
    instruments, options = _parts(root, "hardware_description"), "hardware_options"
    modules = [module for instrument in instruments for module in _parts(instrument, "modules")]
    for nodes, *lacking in (
        (instruments, ("port",), ("module_base_port",)),
        (modules, ("sequencer_isa_version",)),
        (_parts(root, options, "sequencer_options"), ("qasm_isa_version",)),
        (_parts(root, options, "distortion_corrections"), ("ihp_coeffs",)),
        ([root], (options, "net_zero_pulse_parameters"), ("compiler_options", "retime_allowed")),
    ):
        for found in filter(None, (node.get(*keys) for node in nodes for keys in lacking)):
            raise found.refusal("is an option that quantify-scheduler does not have")
    for module in modules:
        if (node := module.get("rf_output_on")) is not None and node.value == "auto":
            raise node.refusal(
                "is auto, which quantify-scheduler does not have: set compiler_options.auto_rf_switch instead"
            )
    for node in _exponentials(root):
        if isinstance(node.value, dict):
            raise node.refusal("has a time_constant and an amplitude: quantify-scheduler takes a list of its own units")
