"""The calibration of a QPU: the figures that its manifest has of gates and qubits, and the id that results name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Literal, NamedTuple

from .bounds import text
from .errors import Rejected
from .manifest import GateProperties, Manifest, QubitProperties

_ID_CHARS = 16
Quantity = Literal["t1", "t2", "frequency", "readout_error", "error", "duration"]


class _Meant(NamedTuple):
    """What a quantity is: its field in the manifest, its unit (probabilities have none), what people call it."""

    field: str
    unit: str
    label: str


_OF_QUBITS: dict[Quantity, _Meant] = {
    "t1": _Meant("t1_s", "s", "T1"),
    "t2": _Meant("t2_s", "s", "T2"),
    "frequency": _Meant("frequency_hz", "Hz", "frequency"),
    "readout_error": _Meant("readout_error", "", "readout error"),
}
_OF_GATES: dict[Quantity, _Meant] = {
    "error": _Meant("error", "", "gate error"),
    "duration": _Meant("duration_s", "s", "gate duration"),
}
_QUANTITIES = _OF_QUBITS | _OF_GATES


class Figure(NamedTuple):
    """One calibrated value: of a gate on its qubits, or, without a gate, of a qubit."""

    quantity: Quantity
    qubits: tuple[int, ...]
    value: float
    gate: str = ""

    @property
    def unit(self) -> str:
        return _QUANTITIES[self.quantity].unit

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
            # Of what is known: a quantity that is new here changes no id of those who don't have it.
            known = [[_known(one) for one in part] for part in (self.gates, self.qubits)]
            values = json.dumps(known)
            object.__setattr__(self, "id", hashlib.sha256(values.encode()).hexdigest()[:_ID_CHARS])

    def into(self, manifest: Manifest) -> Manifest:
        """The manifest with these values in the place of its own."""
        return replace(
            manifest, gates=self.gates, qubits=self.qubits, calibration_id=self.id, calibrated_at=self.at
        )  # fmt: skip

    def figures(self) -> Iterator[Figure]:
        """Every value that is known: qubit by qubit, then gate by gate."""
        for index, qubit in enumerate(self.qubits):
            for quantity, meant in _OF_QUBITS.items():
                if (value := getattr(qubit, meant.field)) is not None:
                    yield Figure(quantity, (index,), value)
        for gate in self.gates:
            for quantity, meant in _OF_GATES.items():
                if (value := getattr(gate, meant.field)) is not None:
                    yield Figure(quantity, gate.qubits, value, gate.gate)


def with_figures(manifest: Manifest, calibration_id: str, figures: Iterable[Figure]) -> Manifest:
    """The manifest as it was with another calibration, of which the `figures` are known; those of qubits that are not
    there any more are left out."""
    gates = {(one.gate, one.qubits): GateProperties(gate=one.gate, qubits=one.qubits) for one in manifest.gates}
    qubits = [QubitProperties()] * manifest.num_qubits
    for quantity, where, value, gate in figures:
        if max(where) >= len(qubits):
            continue
        if gate and quantity in _OF_GATES:
            known = gates.get((gate, where), GateProperties(gate=gate, qubits=where))
            gates[gate, where] = replace(known, **{_OF_GATES[quantity].field: value})  # type: ignore[arg-type]  # a float
        elif not gate and quantity in _OF_QUBITS:
            qubits[where[0]] = replace(qubits[where[0]], **{_OF_QUBITS[quantity].field: value})
    return Calibration(gates=tuple(gates.values()), qubits=tuple(qubits), id=calibration_id).into(manifest)


def _known(one: GateProperties | QubitProperties) -> dict[str, object]:
    return {name: value for name, value in asdict(one).items() if value is not None}


def quantity_label(quantity: str) -> str:
    """What people call a quantity; one that a newer lab has keeps its name."""
    return next((meant.label for name, meant in _QUANTITIES.items() if name == quantity), quantity)


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
