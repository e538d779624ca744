"""Which channels of the instruments reach a qubit, and whether they can play and hear what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qpi_executors.instruments.device import Qubit

from .findings import Findings
from .hardware import RF
from .tree import Node

NCO_HZ = 500e6
"""The highest intermediate frequency of a sequencer."""
DUMMY_IF_HZ = 100e6
_OVERLAPS = {
    "complex_output_0": ("real_output_0", "real_output_1"),
    "complex_output_1": ("real_output_2", "real_output_3"),
    "complex_input_0": ("real_input_0", "real_input_1"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A channel of a cluster's module, with the local oscillator of the mixer behind it, empty without one."""

    name: str
    kind: str
    oscillator: str

    @property
    def is_input(self) -> bool:
        return "_input_" in self.name

    @property
    def mixes(self) -> str:
        """The local oscillator that all of its ports share; empty where the sequencer's frequency is the port's."""
        return self.oscillator or (self.name if self.kind in RF else "")


class Wiring:
    """The connections of a configuration in the form of `hardware`; repairs for dummy mode go there."""

    def __init__(self, hardware: Mapping[str, Any], file: str, findings: Findings) -> None:
        self.findings = findings
        self.root = Node(hardware, file)
        self.graph = self.root.need("connectivity", "graph")
        self._instruments: Mapping[str, Any] = hardware["hardware_description"]
        self._options: dict[str, Any] = hardware["hardware_options"]
        self._pairs: list[list[str]] = hardware["connectivity"]["graph"]
        self._02 = hardware.get("version") == "0.2"

    def reaches(self, name: str, qubit: Qubit) -> bool:
        """Whether the qubit can be driven and read out; what is missing is a fault."""
        reached = True
        for port, what in ((qubit.microwave_port, "driven"), (qubit.readout_port, "read out")):
            if not any(not channel.is_input for channel in self.channels(port)):
                self.findings.fault(self.graph, f"has no output for {port}: {name} cannot be {what}, and is left out")
                reached = False
        return reached

    def fluxes(self, edge: Node, parent: Qubit) -> bool:
        """Whether the parent of an edge has an output for its flux pulse; a missing one is a fault."""
        if any(not channel.is_input for channel in self.channels(parent.flux_port)):
            return True
        self.findings.fault(
            edge, f"is left out: connectivity.graph has no output for {parent.flux_port}, where its CZ is played"
        )
        return False

    def check(self, qubits: Mapping[str, Qubit]) -> None:
        """Note as faults what a real cluster can't do with these qubits."""
        self._check_overlaps()
        for qubit in qubits.values():
            self._check_input(qubit)
        self._check_frequencies(qubits)

    def channels(self, port: str) -> list[Channel]:
        """The channels that a port is connected to, through a mixer or directly."""
        found = []
        for end in self._beside(port):
            instrument, _, rest = end.partition(".")
            described = self._instruments.get(instrument, {})
            if described.get("instrument_type") == "Cluster":
                found.append(self._channel(end, ""))
            elif rest in ("rf", "out"):
                oscillator = next((one.partition(".")[0] for one in self._beside(f"{instrument}.lo")), "")
                found += [self._channel(one, oscillator) for one in self._beside(f"{instrument}.if")]
        return found

    def _beside(self, end: str) -> list[str]:
        return [b if a == end else a for a, b in self._pairs if end in (a, b)]

    def _channel(self, end: str, oscillator: str) -> Channel:
        cluster, module, _ = end.split(".")
        kind = self._instruments[cluster]["modules"][module.removeprefix("module")]["instrument_type"]
        return Channel(name=end, kind=kind, oscillator=oscillator)

    def check_addresses(self) -> None:
        """Note as a fault each cluster whose address is not known: only simulated ones have none."""
        for name, described in self._instruments.items():
            if described["instrument_type"] == "Cluster" and "ip" not in described:
                node = self.root.need("hardware_description", name).child("ip", None)
                self.findings.fault(node, "is missing: the address of the cluster")

    def _check_overlaps(self) -> None:
        used = {end for pair in self._pairs for end in pair}
        for end in sorted(used):
            module, _, channel = end.rpartition(".")
            for other in _OVERLAPS.get(channel, ()):
                if f"{module}.{other}" in used:
                    self.findings.fault(self.graph, f"uses {end} and {module}.{other}, which are the same connectors")

    def _check_input(self, qubit: Qubit) -> None:
        channels = self.channels(qubit.readout_port)
        if not self._02 or any(channel.is_input for channel in channels):
            return  # before 0.2, the input beside the output is connected by the library itself
        beside = channels[0].name.replace("output", "input")
        self.findings.fault(
            self.graph,
            f"has no input for {qubit.readout_port}: nothing would be acquired; add [{beside}, {qubit.readout_port}]",
        )

    def _check_frequencies(self, qubits: Mapping[str, Qubit]) -> None:
        shared: dict[str, float] = {}
        for name, qubit in qubits.items():
            for port, clock, hertz in (
                (qubit.microwave_port, f"{name}.01", qubit.f01_hz),
                (qubit.readout_port, f"{name}.ro", qubit.readout_hz),
            ):  # fmt: skip
                for channel in self.channels(port):
                    if not channel.is_input and not self._by_itself(channel):
                        self._check_frequency(f"{port}-{clock}", hertz, channel, shared)

    def _by_itself(self, channel: Channel) -> bool:
        """Whether frequencies are none of these checks' business: a downconverter, or a mixer that is passed by."""
        cluster, module, name = channel.name.split(".")
        described = self._instruments[cluster]["modules"][module.removeprefix("module")].get(name, {})
        return "downconverter_freq" in described or described.get("mix_lo") is False

    def _check_frequency(self, key: str, hertz: float, channel: Channel, shared: dict[str, float]) -> None:
        """It needs one of two frequencies, and the same local oscillator as the others of its channel."""
        node = self.root.child("hardware_options", None).child("modulation_frequencies", None).child(key, None)
        if not channel.mixes:
            if hertz > NCO_HZ:
                self.findings.fault(
                    node, f"is at {hertz:g} Hz, and {channel.name} has no mixer: it reaches {NCO_HZ:g} Hz"
                )
            return
        given = self._options.get("modulation_frequencies", {}).get(key, {})
        intermediate, oscillator = given.get("interm_freq"), given.get("lo_freq")
        problem = ""
        if intermediate is None and oscillator is None:
            problem = "has neither interm_freq nor lo_freq"
        elif intermediate is not None and oscillator is not None and abs(oscillator + intermediate - hertz) > 1:
            problem = (
                f"has lo_freq + interm_freq = {oscillator + intermediate:.10g} Hz, but {key} is at {hertz:.10g} Hz"
            )
        else:
            oscillator = hertz - intermediate if oscillator is None else oscillator
            if abs(hertz - oscillator) > NCO_HZ:
                problem = f"needs an intermediate frequency of {hertz - oscillator:.6g} Hz, beyond {NCO_HZ:g} Hz"
            elif abs(shared.get(channel.mixes, oscillator) - oscillator) > 1:
                problem = (
                    f"needs the local oscillator of {channel.mixes} at {oscillator:.10g} Hz, "
                    f"and another port at {shared[channel.mixes]:.10g} Hz"
                )
        if problem:
            oscillator = shared.get(channel.mixes, hertz - DUMMY_IF_HZ)
            self.findings.fault(node, f"{problem}; simulated with lo_freq {oscillator:.10g} Hz")
            self._options.setdefault("modulation_frequencies", {})[key] = {"lo_freq": oscillator}
        shared[channel.mixes] = oscillator
