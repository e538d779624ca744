"""Hardware configurations from before ``hardware_description``: instruments at the top, ports inside of channels."""

from __future__ import annotations

import re
from typing import Any

from .hardware import CONFIG_TYPE
from .tree import Node

_BACKEND = "quantify_scheduler.backends.qblox_backend.hardware_compile"
_PER_CHANNEL = {
    "dc_mixer_offset_I": ("mixer_corrections", "dc_offset_i"),
    "dc_mixer_offset_Q": ("mixer_corrections", "dc_offset_q"),
    "auto_lo_cal": ("mixer_corrections", "auto_lo_cal"), "lo_freq": ("modulation_frequencies", "lo_freq"),
    "input_gain_I": ("input_gain", "gain_I"), "input_gain_Q": ("input_gain", "gain_Q"),
    "input_gain_0": ("input_gain", ""), "input_gain_1": ("input_gain", ""), "output_att": ("output_att", ""),
    "input_att": ("input_att", ""),
}  # fmt: skip
_PER_PORT = {
    "interm_freq": ("modulation_frequencies", "interm_freq"), "mixer_amp_ratio": ("mixer_corrections", "amp_ratio"),
    "mixer_phase_error_deg": ("mixer_corrections", "phase_error"),
    "auto_sideband_cal": ("mixer_corrections", "auto_sideband_cal"),
    "analog_threshold": ("digitization_thresholds", "analog_threshold"),
    **{
        key: ("sequencer_options", key)
        for key in ("ttl_acq_threshold", "init_gain_awg_path_I", "init_gain_awg_path_Q", "init_offset_awg_path_I",
                    "init_offset_awg_path_Q", "qasm_hook_func")
    },
}  # fmt: skip
_DESCRIBED = ("marker_debug_mode_enable", "mix_lo", "downconverter_freq", "distortion_correction_latency_compensation")


def is_old(root: Node) -> bool:
    """Whether it names a backend's function, as these files do."""
    return "backend" in root.mapping()


def modern(root: Node) -> Node:
    """The same in today's form, for `hardware` to read on; what that refuses has the name of today's key.

    Raises
    ------
    Rejected
        it is for another backend, or has a key that is not known.
    """
    backend = root.need("backend")
    if backend.value != _BACKEND:
        raise backend.refusal(f"is {backend.value!r}: only {_BACKEND} is read")
    return _Reader(root).read()


class _Reader:
    def __init__(self, root: Node) -> None:
        self.root = root
        self.description: dict[str, Any] = {}
        self.options: dict[str, Any] = {}
        self.graph: list[list[str]] = []

    def read(self) -> Node:
        for name, node in self.root.items():
            if name in ("latency_corrections", "distortion_corrections"):
                self.options[name] = node.value
            elif name != "backend":
                self._instrument(name, node)
        return Node(
            {"config_type": CONFIG_TYPE["quantify"], "hardware_description": self.description,
            "hardware_options": self.options,
             "connectivity": {"graph": self.graph}},
            self.root.file, self.root.path,
        )  # fmt: skip

    def _instrument(self, name: str, node: Node) -> None:
        kind = node.need("instrument_type").choice(("Cluster", "LocalOscillator"))
        if kind == "LocalOscillator":
            node.only({"instrument_type", "frequency", "power"})
            self.description[name] = {key: part.value for key, part in node.items() if key != "frequency"}
            return
        modules: dict[str, Any] = {}
        self.description[name] = {"instrument_type": kind, "modules": modules}
        for key, part in node.items():
            if slot := re.fullmatch(rf"{re.escape(name)}_module(\d{{1,3}})", key):
                modules[slot[1]] = self._module(f"{name}.module{slot[1]}", part)
            elif key in ("ref", "sequence_to_file", "ip"):
                self.description[name][key] = part.value
            elif key != "instrument_type":
                raise part.refusal(f"is not a known key of a cluster; modules are called {name}_moduleN")

    def _module(self, name: str, node: Node) -> dict[str, Any]:
        module: dict[str, Any] = {}
        for key, part in node.items():
            if key in ("instrument_type", "sequence_to_file"):
                module[key] = part.value
            elif re.match(r"(complex|real|digital)_(in|out)put_\d+$", key):
                described = self._channel(f"{name}.{key}", part)
                if described:
                    module[key] = described
            else:
                raise part.refusal("is not a known key of a module")
        return module

    def _channel(self, name: str, node: Node) -> dict[str, Any]:
        node.only({*_DESCRIBED, *_PER_CHANNEL, "lo_name", "portclock_configs"})
        ports = node.need("portclock_configs").list()
        output = self._mixer(name, node, ports)
        for port in ports:
            port.only({"port", "clock", *_PER_PORT})
            self.graph.append([output, port.need("port").text()])
            for source, known in ((node, _PER_CHANNEL), (port, _PER_PORT)):
                for key, value in source.items():
                    if key in known:
                        self._option(port, *known[key], value)
            corrections = self.options.get("mixer_corrections", {}).get(self._key(port))
            if corrections is not None:  # what the old form had where nothing was said
                corrections.setdefault("amp_ratio", 1.0)
                corrections.setdefault("phase_error", 0.0)
        return {key: part.value for key, part in node.items() if key in _DESCRIBED}

    def _mixer(self, name: str, node: Node, ports: list[Node]) -> str:
        """What the ports are connected to: the channel itself, or the mixer between it and its local oscillator."""
        oscillator = node.get("lo_name")
        if oscillator is None:
            return name
        frequency = self.root.need(oscillator.text()).get("frequency")
        optical = any("optical_control" in port.need("port").text() for port in ports)
        mixer = f"{'optical_mod' if optical else 'iq_mixer'}_{oscillator.value}"
        self.description[mixer] = {"instrument_type": "OpticalModulator" if optical else "IQMixer"}
        self.graph += [[name, f"{mixer}.if"], [f"{oscillator.value}.output", f"{mixer}.lo"]]
        for port in ports if frequency is not None else ():
            self._option(port, "modulation_frequencies", "lo_freq", frequency)
        return f"{mixer}.{'out' if optical else 'rf'}"

    @staticmethod
    def _key(port: Node) -> str:
        return f"{port.need('port').text()}-{port.need('clock').text()}"

    def _option(self, port: Node, option: str, key: str, value: Node | None) -> None:
        assert value is not None
        options = self.options.setdefault(option, {})
        if key:
            options.setdefault(self._key(port), {})[key] = value.value
        else:
            options[self._key(port)] = value.value
