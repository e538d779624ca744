"""What a QPU can do, as its executor says it: the public manifest behind ``GET qpus/{name}``."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .bounds import MAX_MESSAGE, MAX_SECONDS, figure, text, whole
from .errors import Rejected
from .formats import MAX_CIRCUITS, ProgramFormat
from .programs import Program

MAX_QUBITS = 100_000
MAX_SHOTS = 10**9
MAX_ESTIMATE_S, MAX_ESTIMATE_BYTES = 1e15, 2**62
"""The most that an estimate can say: far beyond what any QPU lets run."""
_MAX_ENTRIES = 10_000
_MAX_FREQUENCY_HZ = 1e18
_MAX_SCHEMAS = 16 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class GateProperties:
    """One calibrated operation on given qubits; duration in seconds, error as a probability."""

    gate: str
    qubits: tuple[int, ...]
    duration_s: float | None = None
    error: float | None = None

    def __post_init__(self) -> None:
        text("gate", self.gate)
        for qubit in self.qubits:
            whole("a gate's qubit", qubit, 0, MAX_QUBITS - 1)
        _check_optional("duration_s", self.duration_s, MAX_SECONDS)
        _check_optional("error", self.error, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class QubitProperties:
    """T1 and T2 in seconds, frequency in Hz, readout error as a probability."""

    t1_s: float | None = None
    t2_s: float | None = None
    frequency_hz: float | None = None
    readout_error: float | None = None

    def __post_init__(self) -> None:
        _check_optional("t1_s", self.t1_s, MAX_SECONDS)
        _check_optional("t2_s", self.t2_s, MAX_SECONDS)
        _check_optional("frequency_hz", self.frequency_hz, _MAX_FREQUENCY_HZ, lowest=-_MAX_FREQUENCY_HZ)
        _check_optional("readout_error", self.readout_error, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything a client needs to build a Qiskit Target, and a planner to size a job.

    ``coupling_map`` is None for all-to-all. ``gates`` may be empty: then every basis gate acts on every qubit
    (or every edge) with unknown duration and error. ``meas_levels`` are Qiskit's numbers.

    Raises
    ------
    ValueError
        a figure that no QPU has; the message names the field.
    """

    executor: str
    executor_version: str
    num_qubits: int
    basis_gates: tuple[str, ...]
    coupling_map: tuple[tuple[int, int], ...] | None = None
    formats: tuple[str, ...] = ()
    """The names of the program formats that it takes; none: those of its executor's class."""
    format_facts: tuple[ProgramFormat, ...] = ()
    """What the lab has to know of them; the driver adds it."""
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
    option_schemas: dict[str, dict[str, Any]] = field(default_factory=dict)
    """JSON Schemas of these options, by name, from which forms are made; of one without it a form has a text field."""
    calibration_id: str = ""
    """Of ``gates`` and ``qubits`` (`Calibration`)."""
    calibrated_at: datetime | None = None
    """When they were measured, where that is known."""
    config_sha256: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        for name in ("executor", "executor_version", "calibration_id", "config_sha256"):
            text(name, getattr(self, name))
        text("description", self.description.replace("\n", " "), MAX_MESSAGE)
        whole("num_qubits", self.num_qubits, 1, MAX_QUBITS)
        whole("max_shots", self.max_shots, 1, MAX_SHOTS)
        _check_optional("dt_s", self.dt_s, MAX_SECONDS)
        for name in ("basis_gates", "formats", "meas_returns", "options"):
            entries = getattr(self, name)
            whole(f"the number of {name}", len(entries), 0, _MAX_ENTRIES)
            for entry in entries:
                text(f"an entry of {name}", entry)
        if unknown := sorted(set(self.option_schemas) - set(self.options)):
            raise ValueError(f"option_schemas has {unknown[0]!r}, which is none of the options")
        whole("the size of option_schemas", len(json.dumps(self.option_schemas)), 0, _MAX_SCHEMAS)
        whole("the number of meas_levels", len(self.meas_levels), 1, 3)
        for level in self.meas_levels:
            whole("an entry of meas_levels", level, 0, 2)
        for qubit in (qubit for pair in self.coupling_map or () for qubit in pair):
            whole("a qubit of coupling_map", qubit, 0, self.num_qubits - 1)
        whole("the number of qubits", len(self.qubits), 0, self.num_qubits)
        whole("the number of format_facts", len(self.format_facts), 0, len(self.formats))


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """How long a program holds the QPU and how much memory it needs.

    ``upper_s`` is a bound that the planner may rely on for backfill; ``estimate_s`` is the likely figure.

    Raises
    ------
    ValueError
        a figure that is not one (not finite, negative, a bound below the likely figure); the message names the field.
    """

    estimate_s: float
    upper_s: float
    memory_bytes: int = 0
    num_circuits: int = 1
    details: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        figure("estimate_s", self.estimate_s, 0.0, MAX_ESTIMATE_S)
        figure("upper_s", self.upper_s, self.estimate_s, MAX_ESTIMATE_S)
        whole("memory_bytes", self.memory_bytes, 0, MAX_ESTIMATE_BYTES)
        whole("num_circuits", self.num_circuits, 1, MAX_CIRCUITS)
        whole("the number of details", len(self.details), 0, 100)
        for name, value in self.details.items():
            text("a name in details", name)
            figure(f"details[{name}]", value, -MAX_ESTIMATE_S, MAX_ESTIMATE_S)


def _check_optional(name: str, value: float | None, highest: float, *, lowest: float = 0.0) -> None:
    if value is not None:
        figure(name, value, lowest, highest)


def check_fit(name: str, manifest: Manifest, program: Program) -> None:
    """Refuse what the manifest of the QPU (or executor) called ``name`` rules out: the one check of this kind.

    Raises
    ------
    Rejected
        the format, the level, the return kind, the shots or an extra option; the message says what it takes.
    """
    options = program.options
    if program.format not in manifest.formats:
        takes = ", ".join(manifest.formats) or "nothing"
        raise Rejected(
            f"{name} does not run {program.format}; it runs {takes}.", code="bad_format", field="format", formats=takes
        )
    for field_, value, offered in (
        ("meas_level", options.meas_level, manifest.meas_levels),
        ("meas_return", options.meas_return, manifest.meas_returns),
    ):
        if value not in offered:
            raise Rejected(
                f"{name} does not support {field_} {value!r}; it offers {', '.join(map(str, offered))}.",
                code="bad_option",
                field=field_,
            )
    most = max([options.shots, *(entry.shots or 0 for entry in options.circuits)])
    if most > manifest.max_shots:
        raise Rejected(
            f"{name} takes up to {manifest.max_shots:,} shots, not {most:,}.",
            code="bad_shots",
            field="shots",
            limit=manifest.max_shots,
        )
    if unknown := sorted(set(options.extra) - set(manifest.options)):
        raise Rejected(
            f"{name} has no run option {', '.join(map(repr, unknown))}; "
            f"it knows: {', '.join(manifest.options) or 'none beyond the common ones'}.",
            code="unknown_option",
            field=unknown[0],
            known=list(manifest.options),
        )
