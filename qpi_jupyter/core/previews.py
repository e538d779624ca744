"""What a program becomes on a QPU, seen before it runs: native circuits, and the pulses of one shot of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .bounds import MAX_MESSAGE, MAX_SECONDS, figure, text, whole
from .formats import MAX_CIRCUITS

MAX_PREVIEWED = 16
"""Circuits of one preview; of more the first ones."""
MAX_PULSES = 1_500
MAX_NATIVE_BYTES = 160_000
"""Pulses, and OpenQASM 3, of all circuits of a preview together: it has to fit into one frame."""
MAX_ROWS = 1_000
MAX_WARNINGS = 20
_MAX_AMPLITUDE, _MAX_PHASE = 1e9, 1e9
PulseKind = Literal["drive", "flux", "readout", "acquisition", "phase", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PulseRow:
    """A row of a timeline: a port of the device, whose it is, and what it is for."""

    port: str
    qubit: str
    kind: PulseKind

    def __post_init__(self) -> None:
        text("port", self.port)
        text("qubit", self.qubit)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewedPulse:
    """What one row plays, from ``start_s`` for ``duration_s``; 0 is the end of the initial reset.

    ``label`` is the native operation that it belongs to. An ``acquisition`` listens; a ``phase`` takes no time and
    turns the clock by ``phase_deg``. ``amplitude`` is a share of the output's full scale, None where there is none.
    """

    row: int
    label: str
    kind: PulseKind
    start_s: float
    duration_s: float = 0.0
    clock: str = ""
    amplitude: float | None = None
    phase_deg: float = 0.0

    def __post_init__(self) -> None:
        whole("row", self.row, 0, MAX_ROWS - 1)
        text("label", self.label)
        text("clock", self.clock)
        figure("start_s", self.start_s, -MAX_SECONDS, MAX_SECONDS)
        figure("duration_s", self.duration_s, 0.0, MAX_SECONDS)
        figure("phase_deg", self.phase_deg, -_MAX_PHASE, _MAX_PHASE)
        if self.amplitude is not None:
            figure("amplitude", self.amplitude, -_MAX_AMPLITUDE, _MAX_AMPLITUDE)


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitPreview:
    """One circuit as the QPU runs it.

    ``native`` is OpenQASM 3, in the QPU's own gates on its own qubits; where it is left out, ``problem`` says why.
    ``duration_s`` is one shot without the ``reset_s`` before it, None where the executor knows of no time. Of
    ``total_pulses`` the first ones are in ``pulses``. ``warnings`` are sentences for whoever is about to run it.
    """

    name: str
    native: str = ""
    problem: str = ""
    shots: int = 1
    duration_s: float | None = None
    reset_s: float = 0.0
    rows: tuple[PulseRow, ...] = ()
    pulses: tuple[PreviewedPulse, ...] = ()
    total_pulses: int = 0
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        text("name", self.name)
        text("problem", self.problem, MAX_MESSAGE)
        whole("shots", self.shots, 1, 10**9)
        if self.duration_s is not None:
            figure("duration_s", self.duration_s, 0.0, MAX_SECONDS)
        figure("reset_s", self.reset_s, 0.0, MAX_SECONDS)
        whole("the number of rows", len(self.rows), 0, MAX_ROWS)
        whole("total_pulses", self.total_pulses, len(self.pulses), 10**9)
        whole("the number of warnings", len(self.warnings), 0, MAX_WARNINGS)
        for warning in self.warnings:
            text("a warning", warning, MAX_MESSAGE)
        if any(pulse.row >= len(self.rows) for pulse in self.pulses):
            raise ValueError("row must be one of the rows")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The first circuits of a program, of ``total``: what `Executor.preview` returns. Make it with `preview_of`.

    Raises
    ------
    ValueError
        it is larger than a preview may be, or has a figure that is none; the message names the field.
    """

    circuits: tuple[CircuitPreview, ...]
    total: int

    def __post_init__(self) -> None:
        whole("the number of circuits", len(self.circuits), 1, MAX_PREVIEWED)
        whole("total", self.total, len(self.circuits), MAX_CIRCUITS)
        whole("the number of pulses", sum(len(one.pulses) for one in self.circuits), 0, MAX_PULSES)
        whole("the bytes of native", sum(len(one.native.encode()) for one in self.circuits), 0, MAX_NATIVE_BYTES)


def preview_of(circuits: Sequence[CircuitPreview], total: int) -> Preview:
    """A preview of these circuits, cut to what one may hold: each says what of it is left out."""
    kept: list[CircuitPreview] = []
    pulses, nbytes = MAX_PULSES, MAX_NATIVE_BYTES
    for circuit in circuits[:MAX_PREVIEWED]:
        if len(circuit.native.encode()) > nbytes:
            problem = "The native circuit is too long to show."
            circuit = replace(circuit, native="", problem=problem)
        circuit = replace(circuit, pulses=circuit.pulses[:pulses], warnings=circuit.warnings[:MAX_WARNINGS])
        pulses -= len(circuit.pulses)
        nbytes -= len(circuit.native.encode())
        kept.append(circuit)
    return Preview(circuits=tuple(kept), total=total)
