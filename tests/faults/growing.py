"""A simulator that measures one row at a time, and each only when the test lets it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from qiskit import QuantumCircuit

from qpi_executors import RunCancelled
from qpi_executors.mock import MockExecutor
from qpi_executors.simulator import Cost, Outcome
from qpi_jupyter.core import Estimate, Program


def let(gate: Path, rows: int) -> None:
    """Let the executor measure so many rows in all."""
    part = gate.with_suffix(".part")
    part.write_text(str(rows))
    part.rename(gate)


class GatedSimulator(MockExecutor):
    """The mock chip behind a gate: a file with the number of rows that may be measured."""

    class Options(MockExecutor.Options, frozen=True, kw_only=True):
        gate: str
        diary: str | None = None
        """Gets a line for each row that is measured: the attempt and the row."""

    _row = 0
    _cancelled: Any = None

    def cost(self, run: Any) -> Cost:
        return Cost(likely_s=1e3, upper_s=1e3, memory_bytes=1)  # more than a piece has

    def estimate(self, program: Program) -> Estimate:
        return Estimate(estimate_s=1.0, upper_s=60.0, num_circuits=len(self.runs(program)))

    def run(self, program: Program, **told: Any) -> Any:
        self._row, self._cancelled = 0, told["cancelled"]
        return super().run(program, **told)

    def simulate(self, circuits: list[QuantumCircuit], **options: Any) -> list[Outcome]:
        gate = Path(self.options.gate)
        while not gate.exists() or int(gate.read_text()) <= self._row:
            if self._cancelled():
                raise RunCancelled
            time.sleep(0.005)
        if self.options.diary is not None:
            with Path(self.options.diary).open("a") as diary:
                diary.write(f"{os.environ['QPI_ATTEMPT']} {self._row}\n")
        self._row += len(circuits)
        return super().simulate(circuits, **options)


class QuickSimulator(MockExecutor):
    """The mock chip, which keeps no diary."""

    class Options(MockExecutor.Options, frozen=True, kw_only=True):
        diary: str | None = None
