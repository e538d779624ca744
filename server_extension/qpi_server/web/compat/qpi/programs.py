"""Circuits as QPI's clients send them, as a request of ours, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import field

from qpi_jupyter.core import DEFAULT_SHOTS, OPENQASM2, OPENQASM3, ProgramError, Rejected, unpack
from qpi_jupyter.core.openqasm import clean, version, words
from qpi_jupyter.wire.jobs import JobModel, SubmitRequest
from qpi_jupyter.wire.rest import CircuitIn, OptionsIn, ProgramIn

from .base import Body, Record

ANY_QPU = "qpi"
"""The name that QPI's backend has by default: whichever QPU the lab chooses."""


class Circuit(Body):
    """One circuit; its text goes by any of three names."""

    circuit: str = ""
    qasm: str = ""
    circuit_qasm: str = ""
    parameter_values: list[list[float] | float] | None = None
    shots: int | None = None

    @property
    def text(self) -> str:
        texts = {self.circuit, self.qasm, self.circuit_qasm} - {""}
        if len(texts) > 1:
            raise Rejected(
                "A circuit has two texts: send one of circuit, qasm and circuit_qasm.", code="bad_program",
                field="circuits",
            )  # fmt: skip
        return next(iter(texts), "")


class Submit(Body):
    """``POST jobs``; zeros, nulls and empty texts stand for what QPI takes by default."""

    circuits: list[Circuit | str] = field(default_factory=list)
    shots: int | None = None
    meas_level: int | None = None
    meas_return: str | None = None
    qpu_target: str | None = None


def request_of(wanted: Submit) -> SubmitRequest:
    """The request in our words.

    Raises
    ------
    Rejected
        no circuit, one without a version line, or OpenQASM 2 and 3 in one job.
    """
    circuits = [Circuit(circuit=given) if isinstance(given, str) else given for given in wanted.circuits]
    if not circuits:
        raise Rejected("Send at least one circuit.", code="empty_program", field="circuits")
    return SubmitRequest(
        program=ProgramIn(format=_format(circuits), sources=[circuit.text for circuit in circuits]),
        options=OptionsIn(
            shots=wanted.shots or DEFAULT_SHOTS,
            meas_level=2 if wanted.meas_level is None else wanted.meas_level,
            meas_return=wanted.meas_return or "single",
            circuits=[CircuitIn(shots=c.shots or None, parameter_values=_rows(c)) for c in circuits],
        ),
        qpu=None if wanted.qpu_target in (None, "", ANY_QPU) else wanted.qpu_target,
    )


def payload_of(job: JobModel, packed: bytes, options: OptionsIn) -> Record:
    """What a client would have sent for this job; sources that are no text are left out."""
    texts: Sequence[bytes] = unpack(packed) if job.format.startswith("openqasm") else ()
    own = options.circuits or [CircuitIn() for _ in texts]
    return {
        "circuits": [_circuit(text, entry) for text, entry in zip(texts, own, strict=False)],
        "shots": options.shots,
        "meas_level": options.meas_level,
        "meas_return": options.meas_return,
        "qpu_target": job.qpu,
    }


def _circuit(text: bytes, own: CircuitIn) -> dict[str, Any]:
    entry: dict[str, Any] = {"circuit": text.decode(errors="replace")}
    if own.parameter_values:
        entry["parameter_values"] = own.parameter_values
    if own.shots is not None:
        entry["shots"] = own.shots
    return entry


def _format(circuits: Sequence[Circuit]) -> str:
    found: set[str] = set()
    for index, circuit in enumerate(circuits):
        line = version(clean(circuit.text))
        if line is None or line[1] not in ("2", "3"):
            raise ProgramError(
                f"Circuit {index} does not begin with OPENQASM 2 or OPENQASM 3.",
                code="bad_format", circuit=index, field="circuits",
            )  # fmt: skip
        found.add(line[1])
    if len(found) > 1:
        raise Rejected(
            "A job's circuits are all OpenQASM 2 or all OpenQASM 3: send two jobs.", code="bad_format", field="circuits"
        )
    return (OPENQASM2 if "2" in found else OPENQASM3).name


def _rows(circuit: Circuit) -> list[list[float]]:
    """The rows of values; empty ones where the text has no ``input``, since the clients send the values of circuits
    that they have bound already, too."""
    given = circuit.parameter_values or []
    rows = [row for row in given if isinstance(row, list)]
    if len(rows) < len(given):  # one row without its brackets
        rows = [[value for value in given if not isinstance(value, list)]]
    has_inputs = "input" in circuit.text and any(token["word"] == "input" for token in words(circuit.text))
    return rows if has_inputs else [[] for _ in rows]
