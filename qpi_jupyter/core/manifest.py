"""What a QPU can do, as its executor says it: the public manifest behind ``GET qpus/{name}``."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class GateProperties:
    """One calibrated operation on given qubits; duration in seconds, error as a probability."""

    gate: str
    qubits: tuple[int, ...]
    duration_s: float | None = None
    error: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QubitProperties:
    """T1 and T2 in seconds, frequency in Hz, readout error as a probability."""

    t1_s: float | None = None
    t2_s: float | None = None
    frequency_hz: float | None = None
    readout_error: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything a client needs to build a Qiskit Target, and a planner to size a job.

    ``coupling_map`` is None for all-to-all. ``gates`` may be empty: then every basis gate acts on every qubit
    (or every edge) with unknown duration and error. ``meas_levels`` are Qiskit's numbers.
    """

    executor: str
    executor_version: str
    num_qubits: int
    basis_gates: tuple[str, ...]
    coupling_map: tuple[tuple[int, int], ...] | None = None
    formats: tuple[str, ...] = ("openqasm2", "openqasm3", "qpy")
    meas_levels: tuple[int, ...] = (2,)
    meas_returns: tuple[str, ...] = ("single", "avg")
    max_shots: int = 1_000_000
    simulator: bool = True
    control_flow: bool = False
    mid_circuit_measurement: bool = True
    dt_s: float | None = None
    gates: tuple[GateProperties, ...] = ()
    qubits: tuple[QubitProperties, ...] = ()
    options: tuple[str, ...] = ()
    """The extra run options this executor understands."""
    calibration_id: str = ""
    config_sha256: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """How long a program holds the QPU and how much memory it needs.

    ``upper_s`` is a bound that the planner may rely on for backfill; ``estimate_s`` is the likely figure.
    """

    estimate_s: float
    upper_s: float
    memory_bytes: int = 0
    num_circuits: int = 1
    details: dict[str, float] = field(default_factory=dict)
