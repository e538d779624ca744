"""The calibration of a QPU: the figures that its manifest has of gates and qubits, and the id that results name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import NamedTuple

from .bounds import text
from .errors import Rejected
from .manifest import GateProperties, Manifest, QubitProperties

_ID_CHARS = 16
UNITS = {"t1": "s", "t2": "s", "frequency": "Hz", "readout_error": "", "error": "", "duration": "s"}
"""Every quantity with its unit; those without are probabilities."""


class Figure(NamedTuple):
    """One calibrated value: of a gate on its qubits, or, without a gate, of a qubit."""

    quantity: str
    qubits: tuple[int, ...]
    value: float
    gate: str = ""

    @property
    def unit(self) -> str:
        return UNITS[self.quantity]

    @property
    def channel(self) -> str:
        """The name of its readings: ``q0/t1``, ``cx/0-1/error``."""
        where = "-".join(map(str, self.qubits))
        return f"{self.gate}/{where}/{self.quantity}" if self.gate else f"q{where}/{self.quantity}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The values that a QPU runs on: seconds, Hz, probabilities.

    ``id`` names this set of values; where nobody gives one, it is made of them (and stays empty without any). ``at`` is
    when they were measured, where that is known.

    Raises
    ------
    ValueError
        an id that is no short text.
    """

    gates: tuple[GateProperties, ...] = ()
    qubits: tuple[QubitProperties, ...] = ()
    id: str = ""
    at: datetime | None = None

    def __post_init__(self) -> None:
        text("calibration_id", self.id)
        if not self.id and (self.gates or self.qubits):
            values = json.dumps([[asdict(one) for one in part] for part in (self.gates, self.qubits)])
            object.__setattr__(self, "id", hashlib.sha256(values.encode()).hexdigest()[:_ID_CHARS])

    def into(self, manifest: Manifest) -> Manifest:
        """The manifest with these values in the place of its own."""
        return replace(
            manifest, gates=self.gates, qubits=self.qubits, calibration_id=self.id, calibrated_at=self.at
        )  # fmt: skip

    def figures(self) -> Iterator[Figure]:
        """Every value that is known: qubit by qubit, then gate by gate."""
        for index, qubit in enumerate(self.qubits):
            for quantity, value in (
                ("t1", qubit.t1_s),
                ("t2", qubit.t2_s),
                ("frequency", qubit.frequency_hz),
                ("readout_error", qubit.readout_error),
            ):
                if value is not None:
                    yield Figure(quantity, (index,), value)
        for gate in self.gates:
            for quantity, value in (("error", gate.error), ("duration", gate.duration_s)):
                if value is not None:
                    yield Figure(quantity, gate.qubits, value, gate.gate)


def calibration_of(manifest: Manifest) -> Calibration:
    """The calibration that a manifest has."""
    return Calibration(
        gates=manifest.gates, qubits=manifest.qubits, id=manifest.calibration_id, at=manifest.calibrated_at
    )  # fmt: skip


def require_calibration(qpu: str, wanted: str, current: str) -> None:
    """Refuse a job that is to run on another calibration than the QPU has.

    Raises
    ------
    Rejected
        ``other_calibration``; the message names both.
    """
    if wanted != current:
        now = f"its calibration is {current}" if current else "it has no calibration"
        raise Rejected(
            f"This job is for calibration {wanted} of {qpu}, and {now} now: submit it without calibration to run it on "
            "the present one.",
            code="other_calibration", field="calibration", wanted=wanted, current=current,
        )  # fmt: skip
