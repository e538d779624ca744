"""What every executor of circuits says of one before it runs: its native circuit as OpenQASM 3."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from qiskit import QuantumCircuit

from qpi_jupyter.core import MAX_PREVIEWED, CircuitPreview, Preview, preview_of
from qpi_jupyter.core.bounds import MAX_MESSAGE, MAX_TEXT, readable
from qpi_jupyter.data.formats import QPY, has_name

from .programs import Run


class _Row(Protocol):
    """What is measured in one go: of parameter rows one."""

    @property
    def row_index(self) -> int | None: ...


Row = TypeVar("Row", bound=_Row)


def of_circuits(runs: Sequence[Row], look: Callable[[Row], CircuitPreview]) -> Preview:
    """The preview of a program: ``look`` at the first circuits, each with the first row of its parameters."""
    first = [run for run in runs if run.row_index in (None, 0)]
    return preview_of([look(run) for run in first[:MAX_PREVIEWED]], total=len(first))


def of_native(run: Run, native: QuantumCircuit) -> CircuitPreview:
    """What can be said of a circuit without times."""
    name = " ".join(run.circuit.name.split()) if has_name(run.circuit.name) else ""
    preview = CircuitPreview(name=readable(name, MAX_TEXT), shots=run.shots)
    try:
        return replace(preview, native=QPY.to_text(native))
    except ValueError as error:
        return replace(preview, problem=readable(" ".join(str(error).split()), MAX_MESSAGE))
