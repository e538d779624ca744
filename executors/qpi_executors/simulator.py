"""What the built-in simulators share: chunks, seeds, readout, Datasets."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.transpiler.exceptions import TranspilerError

from qpi_jupyter.core.errors import ProgramError
from qpi_jupyter.core.manifest import Estimate
from qpi_jupyter.core.programs import Program, RunOptions
from qpi_jupyter.data.build import bits_dataset, counts_dataset, iq_dataset

from .base import Executor, Option, RunCancelled
from .programs import Run, parse
from .readout import READOUT_OPTIONS, ReadoutModel

SEED_SHIFT = 2113
"""Circuit ``i`` of a batch runs with ``seed + 2113 * i``: Aer's own rule for a list of circuits."""
_CHUNK_S = 0.25
"""Circuits are handed to the simulator for about this long at once; between chunks it hears cancels."""
_BASE_BYTES = 200 << 20
"""A Python process with Qiskit in it."""
_BYTES_PER_SHOT = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a simulator says about one circuit: counts by hex, the shots as hex, and the seed it used."""

    counts: Mapping[str, int]
    memory: Sequence[str] | None
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Likely seconds, a safe bound, and bytes of one circuit."""

    likely_s: float
    upper_s: float
    memory_bytes: int


class SimulatorExecutor(Executor):
    """An executor that samples bits from circuits; subclasses say how to compile, simulate and what it costs."""

    options: ClassVar[Mapping[str, Option]] = {
        **READOUT_OPTIONS,
        "seed": Option(doc="seed of jobs that bring none; unset: a fresh one each", kind=int),
    }
    libraries: ClassVar[tuple[str, ...]] = ("qiskit", "numpy", "xarray")
    """Distributions whose versions go into the provenance."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._readout = ReadoutModel(separation=self.settings["iq_separation"], sigma=self.settings["iq_sigma"])

    @abstractmethod
    def compile(self, run: Run) -> QuantumCircuit:
        """The circuit as the simulator takes it.

        Raises
        ------
        ProgramError, TranspilerError
            it has something the simulator lacks.
        """

    @abstractmethod
    def simulate(
        self, circuits: list[QuantumCircuit], *, shots: int, seed: int | None, memory: bool, sampled: bool
    ) -> list[Outcome]:
        """Run each circuit; circuit ``i`` with ``seed + SEED_SHIFT * i``, or with fresh seeds if it is None.

        ``sampled`` says that every circuit ends with its measurements: all its shots can be drawn from one state.
        """

    @abstractmethod
    def cost(self, run: Run) -> Cost:
        """What one circuit costs, from its size alone."""

    def estimate(self, program: Program) -> Estimate:
        """The sum of the circuits' times; the memory of the largest one, beside the process's own."""
        runs = self.runs(program)
        costs = [self.cost(run) for run in runs]
        shots_bytes = sum(run.shots * (_BYTES_PER_SHOT + len(run.slots)) for run in runs)
        return Estimate(
            estimate_s=sum(cost.likely_s for cost in costs),
            upper_s=1.0 + sum(cost.upper_s for cost in costs),
            memory_bytes=_BASE_BYTES + shots_bytes + max(cost.memory_bytes for cost in costs),
            num_circuits=len(runs),
        )

    def provenance(self, program: Program) -> dict[str, Any]:
        """Library versions, and the readout model where it was used."""
        facts: dict[str, Any] = {"libraries": _versions(self.libraries)}
        if program.options.meas_level == 1:
            qubits = {qubit for parsed in parse(program) for qubit in parsed.analysis.slots.measured().qubit}
            facts["readout"] = self._readout.to_dict(qubits)
        return facts

    def run(
        self, program: Program, *, progress: Callable[[float], None], cancelled: Callable[[], bool]
    ) -> list[xr.Dataset]:
        """Sample every circuit; see `Executor.run`."""
        options = program.options
        runs = self.runs(program)
        first_seed = self.settings["seed"] if options.seed_simulator is None else options.seed_simulator
        datasets: list[xr.Dataset] = []
        for chunk in self._chunks(runs):
            if cancelled():
                raise RunCancelled
            outcomes = self.simulate(
                [self._compiled(run) for run in chunk],
                shots=chunk[0].shots,
                seed=None if first_seed is None else first_seed + SEED_SHIFT * len(datasets),
                memory=options.memory or options.meas_level == 1,
                sampled=not any(run.analysis.control_flow or run.analysis.mid_circuit for run in chunk),
            )
            datasets += [self._dataset(run, outcome, options) for run, outcome in zip(chunk, outcomes, strict=True)]
            progress(len(datasets) / len(runs))
        return datasets

    def _chunks(self, runs: list[Run]) -> Iterator[list[Run]]:
        """Neighbours with equal shots, together about as long as `_CHUNK_S`; where cut, the seeds do not change."""
        chunk: list[Run] = []
        chunk_s = 0.0
        for run in runs:
            likely_s = self.cost(run).likely_s
            if chunk and (run.shots != chunk[0].shots or chunk_s + likely_s > _CHUNK_S):
                yield chunk
                chunk, chunk_s = [], 0.0
            chunk.append(run)
            chunk_s += likely_s
        if chunk:
            yield chunk

    def _compiled(self, run: Run) -> QuantumCircuit:
        try:
            return self.compile(run)
        except TranspilerError as error:
            raise ProgramError(
                f"Circuit {run.circuit_index} cannot be compiled for this simulator: {error.message}",
                code="not_compilable",
                circuit=run.circuit_index,
            ) from error

    def _dataset(self, run: Run, outcome: Outcome, options: RunOptions) -> xr.Dataset:
        info = run.info(options, seed=outcome.seed)
        if outcome.memory is None:
            return counts_dataset(info, {int(key, 16): count for key, count in outcome.counts.items()})
        bits = _bits(outcome, len(run.slots))
        if options.meas_level == 2:
            return bits_dataset(info, bits, run.slots)
        slots = run.slots.measured()
        iq = self._readout.signal(bits[:, list(slots.clbit)], slots.qubit, outcome.seed)
        return iq_dataset(info, iq if options.meas_return == "single" else iq.mean(axis=0), slots)


def _bits(outcome: Outcome, slots: int) -> NDArray[np.int8]:
    """The shots as one row of bits each, classical bit 0 first."""
    # Each different outcome is spelled once; a shot then costs one look-up.
    rows = {key: format(int(key, 16), f"0{slots}b")[::-1].encode() for key in outcome.counts}
    assert outcome.memory is not None
    packed = b"".join(map(rows.__getitem__, outcome.memory))
    return np.frombuffer(packed, dtype=np.int8).reshape(-1, slots) - np.int8(ord("0"))


@lru_cache
def _versions(distributions: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for name in distributions:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
