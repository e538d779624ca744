"""The conventions ``qpi-1`` and ``qpi-2``: what a result Dataset holds.

Stdlib only; ``docs/reference/datasets.md`` explains it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from typing import Any, Self

import msgspec

from qpi_jupyter.core import MAX_BITS, MAX_QUBITS, MAX_SHOTS, Rejected, SweepAxis
from qpi_jupyter.core.bounds import whole

CONVENTIONS = "qpi-1"
"""The value of the ``Conventions`` attribute of a Dataset of one circuit, with its parameters bound."""
SWEEP_CONVENTIONS = "qpi-2"
"""That of a Dataset with the parameters of a sweep as further dimensions."""
CONVENTIONS_ATTR = "Conventions"
CIRCUIT_ATTR = "qpi"
"""The attribute with the `CircuitInfo` as JSON."""
PROVENANCE_ATTR = "provenance"
"""The attribute with the `Provenance` as JSON."""

BIT, COUNT, IQ, TRACE = "bit", "count", "iq", "trace"
EXPECTATION_VALUE, STANDARD_ERROR = "expectation_value", "standard_error"
SHOT, SLOT, OUTCOME, COMPONENT, SAMPLE, OBSERVABLE = "shot", "slot", "outcome", "component", "sample", "observable"
TIME = "time"
QUBIT, CLBIT, ACQ_INDEX = "qubit", "clbit", "acq_index"
MAX_POINTS = 1 << 24
"""Along an axis of a sweep."""
COMPONENTS = ("I", "Q")
KIND_BY_VARIABLE = {BIT: "shots", COUNT: "counts", IQ: "points"}
"""The kinds of results that do not say theirs: those of versions that had no others."""
NOT_MEASURED = -1
"""The qubit and acquisition index of a classical bit that no measurement writes."""

VARIABLE_ATTRS: dict[str, dict[str, str]] = {
    BIT: {"long_name": "Measured bit", "units": "1"},
    COUNT: {"long_name": "Shots with this outcome", "units": "1"},
    IQ: {"long_name": "Integrated readout signal", "units": "arb. unit"},
    TRACE: {"long_name": "Readout signal over time", "units": "arb. unit"},
    TIME: {"long_name": "Time since the readout began", "units": "s"},
    EXPECTATION_VALUE: {"long_name": "Expectation value", "units": "1"},
    STANDARD_ERROR: {"long_name": "Standard error of the expectation value", "units": "1"},
    OBSERVABLE: {"long_name": "Observable, as Qiskit labels it", "units": "1"},
    OUTCOME: {"long_name": "Outcome over all registers, as Qiskit writes it", "units": "1"},
    COMPONENT: {"long_name": "Quadrature of the readout signal", "units": "1"},
    QUBIT: {"long_name": "Qubit of the submitted circuit", "units": "1"},
    CLBIT: {"long_name": "Classical bit of the submitted circuit", "units": "1"},
    ACQ_INDEX: {"long_name": "Which measurement of this qubit, from 0", "units": "1"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """What the columns of ``bit`` and ``iq`` are: one entry a slot in each tuple.

    ``qubit`` and ``acq_index`` are `NOT_MEASURED` for a classical bit that no measurement writes.
    """

    clbit: tuple[int, ...]
    qubit: tuple[int, ...]
    acq_index: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.clbit)

    def measured(self) -> Slots:
        """Only the slots that a measurement writes."""
        keep = [i for i, qubit in enumerate(self.qubit) if qubit != NOT_MEASURED]
        return Slots(
            clbit=tuple(self.clbit[i] for i in keep),
            qubit=tuple(self.qubit[i] for i in keep),
            acq_index=tuple(self.acq_index[i] for i in keep),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitInfo:
    """What a result says about its circuit: Qiskit's header fields, and where in the job it belongs.

    ``kind`` is the name of the Dataset's `ResultKind`; empty in results of versions that had no names for them.
    ``circuit`` is the circuit's index in the program and ``row`` its parameter row (None: it has no parameters, or this
    is a Dataset of all rows); ``parameters`` are the values in this row, by name in the circuit's order.  ``axes`` says
    which grid all rows are, if that was said.  A Dataset of all rows always has them, ``dims`` (the dimension of each)
    and ``seeds`` where those of the rows differ.
    Register sizes are ``(name, size)`` in the circuit's order.  ``metadata`` is the circuit's own, as JSON;
    ``metadata_lost`` names what of it JSON cannot say.

    Raises
    ------
    ValueError
        a figure that no circuit has; the message names the field.
    """

    name: str
    circuit: int = 0
    row: int | None = None
    parameters: Mapping[str, float] = field(default_factory=dict)
    axes: tuple[SweepAxis, ...] = ()
    dims: tuple[str, ...] = ()
    seeds: tuple[int | None, ...] = ()
    kind: str = ""
    shots: int
    meas_level: int = 2
    meas_return: str = "single"
    creg_sizes: tuple[tuple[str, int], ...] = ()
    qreg_sizes: tuple[tuple[str, int], ...] = ()
    memory_slots: int
    n_qubits: int
    seed: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    metadata_lost: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        whole("shots", self.shots, 0, MAX_SHOTS)
        whole("meas_level", self.meas_level, 0, 2)
        whole("memory_slots", self.memory_slots, 0, MAX_BITS)
        whole("n_qubits", self.n_qubits, 0, MAX_QUBITS)
        for axis in self.axes:
            whole("length", axis.length, 1, MAX_POINTS)

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "circuit": self.circuit,
            "row": self.row,
            "kind": self.kind,
            "shots": self.shots,
            "meas_level": self.meas_level,
            "meas_return": self.meas_return,
            "creg_sizes": self.creg_sizes,
            "qreg_sizes": self.qreg_sizes,
            "memory_slots": self.memory_slots,
            "n_qubits": self.n_qubits,
            "seed": self.seed,
            "metadata": self.metadata,
            **({"metadata_lost": self.metadata_lost} if self.metadata_lost else {}),
            **({"axes": [asdict(axis) for axis in self.axes]} if self.axes else {}),
            **({"parameters": dict(self.parameters)} if self.parameters else {}),
            **({"dims": self.dims} if self.dims else {}),
            **({"seeds": self.seeds} if self.seeds else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a result comes from; times are RFC 3339 in UTC, ``busy_s`` is the time the QPU was held.

    ``readout`` says how IQ became bits, or bits became IQ (centres by qubit, sigma); ``device`` what computed it, where
    that was no CPU.
    """

    executor: str
    executor_version: str
    program_sha256: str
    simulator: bool
    libraries: Mapping[str, str] = field(default_factory=dict)
    calibration_id: str = ""
    config_sha256: str = ""
    seed: int | None = None
    started_at: str
    finished_at: str
    busy_s: float
    readout: Mapping[str, Any] | None = None
    device: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        names = {one.name for one in fields(cls)}  # newer writers may add more
        return cls(**{name: value for name, value in raw.items() if name in names})


msgspec.json.Decoder(CircuitInfo)
"""Built before there are threads that read: two that build it at once end the process."""


def circuit_info(attrs: Mapping[Any, Any]) -> CircuitInfo:
    """The circuit info in a Dataset's attributes.

    Raises
    ------
    Rejected
        the Dataset is not in these conventions, or says what no circuit has.
    """
    check_conventions(attrs)
    try:
        return msgspec.convert(json.loads(attrs[CIRCUIT_ATTR]), CircuitInfo)  # without what newer writers add
    except (LookupError, ValueError, TypeError, RecursionError) as error:
        raise Rejected(f"The dataset's circuit cannot be read: {error}", code="bad_result") from error


def provenance(attrs: Mapping[Any, Any]) -> Provenance | None:
    """The provenance in a Dataset's attributes, if it has one."""
    text = attrs.get(PROVENANCE_ATTR)
    return _read_provenance(text) if text else None


def check_conventions(attrs: Mapping[Any, Any]) -> None:
    """Refuse attributes of other conventions.

    Raises
    ------
    Rejected
        they are neither ``qpi-1`` nor ``qpi-2``.
    """
    found = attrs.get(CONVENTIONS_ATTR)
    if found not in (CONVENTIONS, SWEEP_CONVENTIONS):
        raise Rejected(
            f"This dataset follows the conventions {found!r}; this version of qpi-jupyter reads {CONVENTIONS!r} and "
            f"{SWEEP_CONVENTIONS!r}.",
            code="bad_conventions",
        )


@lru_cache(maxsize=64)
def _read_provenance(text: str) -> Provenance:
    return Provenance.from_dict(json.loads(text))
