"""What a device file says of a chip of transmons, in no library's terms: values in SI units, angles in degrees.

Importers of files make a `Device`; the front compiles for it; a library's own elements and edges are made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PORTS = {"microwave": "mw", "flux": "fl", "readout": "res"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """The pulse of a rotation about an axis in the equator (``rxy``).

    ``amp180`` is the amplitude of a turn by pi, as a share of the output's full scale; other angles scale it.
    ``motzoi`` is the amplitude of the derivative as a share of the pulse's, in quantify's convention (a Gaussian of
    ``duration_s / 8``): qblox-scheduler's ``beta``, in seconds, is ``motzoi * duration_s / 8``.
    """

    amp180: float
    duration_s: float = 20e-9
    motzoi: float = 0.0

    @property
    def beta_s(self) -> float:
        """The same derivative as qblox-scheduler counts it."""
        return self.motzoi * self.duration_s / 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Readout:
    """The readout of one qubit: its pulse, when the signal is integrated, and how a point becomes a bit.

    A point ``iq`` (the mean of the signal over the integration, in volts at the input) is 1 where
    ``Re(iq * exp(i * rotation)) > threshold``; ``rotation_deg`` is in [0, 360).
    ``centres`` are the points of 0 and 1 and ``sigma`` the width of each blob on both quadratures; None where the file
    does not say. ``p01`` is the probability to read 1 for a qubit in 0, ``p10`` that to read 0 for one in 1.
    """

    amplitude: float = 0.25
    duration_s: float = 1e-6
    acq_delay_s: float = 100e-9
    integration_s: float = 1e-6
    rotation_deg: float = 0.0
    threshold: float = 0.0
    centres: tuple[complex, complex] | None = None
    sigma: float | None = None
    p01: float = 0.0
    p10: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Qubit:
    """One transmon. ``t1_s`` and ``t2_s`` are None (infinite) where the file does not say.

    ``f01_hz``, ``f12_hz`` and ``readout_hz`` are the clocks ``NAME.01``, ``NAME.12`` and ``NAME.ro``; the ports are
    those of the connectivity, and where empty ``NAME:mw``, ``NAME:fl`` and ``NAME:res`` (`Device.port`). ``gate_error``
    is the average infidelity of one drive pulse (of ``sx`` and of ``x``) beyond what T1 and T2 cause. ``reset_s`` is
    the wait that brings the qubit to 0.
    """

    f01_hz: float
    drive: Drive
    readout_hz: float
    readout: Readout = field(default_factory=Readout)
    f12_hz: float | None = None
    t1_s: float | None = None
    t2_s: float | None = None
    gate_error: float = 0.0
    reset_s: float = 200e-6
    microwave_port: str = ""
    flux_port: str = ""
    readout_port: str = ""

    def __post_init__(self) -> None:
        for name, given in (("t1_s", self.t1_s), ("t2_s", self.t2_s)):
            if given is not None and given <= 0:
                raise ValueError(f"{name} must be more than 0, not {given!r}")
        if self.t1_s is not None and self.t2_s is not None and self.t2_s > 2 * self.t1_s:
            raise ValueError(f"t2_s must be at most twice t1_s, not {self.t2_s!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A pair of qubits with a CZ: a square flux pulse on the parent's flux port, then a phase on each of the two.

    ``parent_phase_deg`` and ``child_phase_deg`` are the corrections that complete the CZ, as the libraries take them.
    ``gate_error`` is the average infidelity beyond what T1 and T2 cause.
    """

    amplitude: float
    duration_s: float = 40e-9
    parent_phase_deg: float = 0.0
    child_phase_deg: float = 0.0
    gate_error: float = 0.0

    @property
    def cz(self) -> dict[str, float]:
        """Its pulse as both schedulers call its parameters."""
        return {
            "square_amp": self.amplitude, "square_duration": self.duration_s,
            "parent_phase_correction": self.parent_phase_deg, "child_phase_correction": self.child_phase_deg,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A chip: its qubits by name, in the order of Qiskit's indices, and its edges by ``(parent, child)``.

    ``name`` is the device's own; ``calibration_id`` names this set of values, where its file does.

    Raises
    ------
    ValueError
        an edge names a qubit that there is not; the message names the edge.
    """

    name: str
    qubits: Mapping[str, Qubit]
    edges: Mapping[tuple[str, str], Edge] = field(default_factory=dict)
    calibration_id: str = ""

    def __post_init__(self) -> None:
        for parent, child in self.edges:
            if parent == child or not {parent, child} <= self.qubits.keys():
                raise ValueError(f"the edge {parent}_{child} must join two of the qubits {', '.join(self.qubits)}")

    @property
    def names(self) -> tuple[str, ...]:
        """The qubits by their index in a circuit."""
        return tuple(self.qubits)

    def port(self, kind: str, name: str) -> str:
        """The port of one qubit; ``kind`` is ``microwave``, ``flux`` or ``readout``."""
        return getattr(self.qubits[name], f"{kind}_port") or f"{name}:{PORTS[kind]}"

    def element(self, name: str) -> dict[str, dict[str, Any]]:
        """One qubit as both schedulers call its parameters, by their sections. Any: numbers, and names of ports."""
        qubit = self.qubits[name]
        drive, readout = qubit.drive, qubit.readout
        clocks = {"f01": qubit.f01_hz, "f12": qubit.f12_hz, "readout": qubit.readout_hz}
        return {
            "reset": {"duration": qubit.reset_s},
            "rxy": {"amp180": drive.amp180, "motzoi": drive.motzoi, "duration": drive.duration_s},
            "measure": {
                "pulse_amp": readout.amplitude, "pulse_duration": readout.duration_s, "acq_delay": readout.acq_delay_s,
                "integration_time": readout.integration_s, "acq_rotation": readout.rotation_deg % 360,
                "acq_threshold": readout.threshold,
            },
            "ports": {kind: self.port(kind, name) for kind in PORTS},
            "clock_freqs": {clock: hertz for clock, hertz in clocks.items() if hertz is not None},
        }  # fmt: skip

    def edge(self, one: str, other: str) -> tuple[str, str]:
        """The edge between two qubits as it is named, (parent, child)."""
        return (one, other) if (one, other) in self.edges else (other, one)


Hardware = Mapping[str, Any]
"""A hardware configuration, opaque here: what the library itself reads (Any: JSON)."""
