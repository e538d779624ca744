"""The installed program formats, and the one of Qiskit's circuits with what needs Qiskit: loaded when it is used."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeGuard

from qpi_jupyter.core import BUILT_IN, ProgramFormat, QpiError, QpyFile
from qpi_jupyter.core.plugins import Plugins

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

_NO_NAME = re.compile(r"circuit(-\d+)+|\.{0,2}")
"""What Qiskit calls a circuit that nobody named, and what a DataTree can't have as a name."""


def has_name(circuit: str) -> bool:
    """Whether somebody named a circuit that is called so."""
    return not _NO_NAME.fullmatch(circuit.strip())


def is_circuit(thing: object) -> TypeGuard[QuantumCircuit]:
    """Whether this is a Qiskit circuit; false without importing Qiskit where nobody else did."""
    module = sys.modules.get("qiskit.circuit")
    return module is not None and isinstance(thing, module.QuantumCircuit)


_DELAY = re.compile(r"\bdelay\[(?![\d.]+(?:e[+-]?\d+)?[a-z]+\])([^\]\n]+?)(ns|us|ms|s|dt)\]")
"""A delay by a parameter: Qiskit writes the unit right behind the expression, as if that were a number."""


class QiskitCircuits(QpyFile):
    """QPY, Qiskit's own files: all circuits of a job are one."""

    def recognises(self, thing: object) -> bool:
        """A QuantumCircuit."""
        return is_circuit(thing)

    def encode(self, things: Sequence[object]) -> list[bytes]:
        """Circuits as one file; files as they are, with a warning where Qiskit's own lose something."""
        from .circuits import to_qpy

        if circuits := [thing for thing in things if is_circuit(thing)]:
            if len(circuits) == len(things):
                return [to_qpy(circuits)]
            raise TypeError("Submit circuits or QPY files, not both in one job.")
        files = super().encode(things)
        if any(b"Delay" in file for file in files):  # the class, as Qiskit writes it
            warnings.warn(
                "Files of Qiskit's own do not keep the unit of a delay: the lab takes these delays as multiples of dt. "
                "Submit the QuantumCircuit itself where they are not.",
                stacklevel=4,
            )
        return files

    def read(self, source: bytes) -> Sequence[object]:
        """The circuits of a file."""
        from .circuits import from_qpy

        return from_qpy(source)

    def to_text(self, program: object) -> str:
        """The circuit in OpenQASM 3."""
        from qiskit import QuantumCircuit, qasm3

        assert isinstance(program, QuantumCircuit)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return _DELAY.sub(r"delay[(\1) * 1\2]", str(qasm3.dumps(program)))
            except Exception as error:  # whatever of a circuit OpenQASM 3 has no words for
                raise ValueError(f"OpenQASM 3 cannot say this circuit: {error}") from error

    def example(self) -> bytes:
        """One qubit, turned and measured."""
        from qiskit import QuantumCircuit

        from .circuits import to_qpy

        circuit = QuantumCircuit(1, 1, name="example")
        circuit.x(0)
        circuit.measure(0, 0)
        return to_qpy([circuit])


QPY = QiskitCircuits()


FORMATS: Plugins[ProgramFormat] = Plugins(
    "qpi.formats", "format", lambda thing: isinstance(thing, ProgramFormat), "a qpi_jupyter.core.ProgramFormat"
)


_others: list[ProgramFormat] = []
"""Other packages' formats, as they were found the last time."""


def recognised(thing: object) -> ProgramFormat | None:
    """The format that a Python object is a program of: Qiskit's, or that of an installed package."""
    if is_circuit(thing):
        return QPY
    found = _among_others(thing)
    if found is None:
        _others[:] = _installed()  # a package may have been installed since the last time
        found = _among_others(thing)
    return found


def _among_others(thing: object) -> ProgramFormat | None:
    return next((form for form in _others if form.recognises(thing)), None)


def _installed() -> list[ProgramFormat]:
    """A broken one is told of where it is asked for by name."""
    found = []
    for member in FORMATS.members():
        if member.name not in BUILT_IN and not member.problem:
            with suppress(QpiError):
                found.append(FORMATS.imported(member.point))
    return found
