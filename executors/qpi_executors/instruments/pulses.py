"""What a compiled schedule plays, in no library's terms: the events of one shot, by which the twin evolves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """A pulse on a port. ``shape`` is ``square``, or ``gaussian`` of ``duration_s / 8``; the phase of its clock is
    added to ``phase_deg``. With a ``trigger`` it plays only where the last acquisition that sends this one read 1."""

    start_s: float
    duration_s: float
    port: str
    clock: str
    amplitude: float
    phase_deg: float = 0.0
    shape: str = "square"
    trigger: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftPhase:
    """From here on the clock's phase is ``phase_deg`` more; what plays on it turns the qubit about another axis."""

    start_s: float
    clock: str
    phase_deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetPhase:
    """From here on the clock's phase counts from 0."""

    start_s: float
    clock: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquire:
    """The signal at a port is integrated and kept under a label; the instrument sends ``trigger`` where it reads 1."""

    start_s: float
    duration_s: float
    port: str
    label: str
    trigger: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """The wait of a passive reset of these qubits."""

    start_s: float
    duration_s: float
    qubits: tuple[str, ...]


Event = Play | ShiftPhase | ResetPhase | Acquire | Wait
