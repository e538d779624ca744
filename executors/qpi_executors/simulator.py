"""What the built-in simulators share: chunks, seeds, readout, Datasets."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.exceptions import QiskitError

from qpi_jupyter.core import (
    MAX_ESTIMATE_BYTES,
    MAX_ESTIMATE_S,
    Estimate,
    Preview,
    Program,
    ProgramError,
    RunOptions,
)
from qpi_jupyter.data.formats import QPY

from . import previews
from .analysis import Opaque
from .base import CircuitExecutor, RunCancelled
from .options import ExecutorOptions
from .programs import Run, parse
from .sources import locate

if TYPE_CHECKING:
    import xarray as xr

SEED_SHIFT = 2113
"""Circuit ``i`` of a batch runs with ``seed + 2113 * i``: Aer's own rule for a list of circuits."""
_CHUNK_S = 0.25
"""Circuits are handed to the simulator for about this long at once; between chunks it hears cancels,
and hands over what it has."""
_MOST_OFF = 20.0
"""How far off the estimates are taken to be at most."""
_BASE_BYTES = 200 << 20
"""A Python process with Qiskit in it."""
_BYTES_PER_SHOT = 80
_RECORDS = ("save_", "snapshot")
"""How Aer's instructions begin whose data have no place in a result's conventions."""
_TURN_PER_QUBIT = 0.6
"""Radians between the axes of neighbouring qubits, as cable lengths differ."""
_STREAM, _TRACE_STREAM = 0x51, 0x52
"""Keep the noise of points, and that around them, apart from what else a seed is used for."""
_RISE = 0.2
"""The time in which a trace comes to 63 % of its height, as a share of its length."""
_SAMPLE_BYTES = 64
"""A sample on its way into a Dataset: two complex numbers, and as much for what is made of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadoutModel:
    """How a bit becomes a point in the IQ plane, or a trace: Gaussian blobs around one pair of centres per qubit.

    Qubit ``q`` has the centres ``+-separation/2 * exp(i * q * 0.6)``, minus for 0 and plus for 1; each shot adds
    Gaussian noise of width ``sigma`` on both quadratures. A bit is told apart at the line between the centres, so the
    model's own assignment error is ``erfc(separation / (2 * sqrt(2) * sigma)) / 2``.
    """

    separation: float
    sigma: float

    def centres(self, qubits: Iterable[int]) -> NDArray[np.complex128]:
        """The centres of 0 and 1, shape ``(qubits, 2)``."""
        axis = np.exp(1j * _TURN_PER_QUBIT * np.asarray(list(qubits), dtype=np.float64))
        centres: NDArray[np.complex128] = (self.separation / 2) * axis[:, None] * np.array([-1.0, 1.0])
        return centres

    def signal(self, bits: NDArray[np.int8], qubits: Iterable[int], seed: int) -> NDArray[np.complex128]:
        """One point per bit of ``bits`` (shots, slots); the same seed gives the same points."""
        centres = self.centres(qubits)
        noise = np.random.default_rng([_STREAM, seed]).normal(scale=self.sigma, size=(*bits.shape, 2))
        return np.where(bits == 1, centres[:, 1], centres[:, 0]) + noise.view(np.complex128)[..., 0]

    def traces(self, bits: NDArray[np.int8], qubits: Iterable[int], seed: int, samples: int) -> NDArray[np.complex128]:
        """The signal over time, shape ``(shots, slots, samples)``: a resonator that rings up, and white noise.

        The mean of each trace is the point that `signal` gives for the same seed.
        """
        rising = 1 - np.exp(-(np.arange(samples) + 0.5) / (_RISE * samples))
        centres = self.centres(qubits)
        clean = np.where(bits == 1, centres[:, 1], centres[:, 0])
        blurred = self.signal(bits, qubits, seed) - clean
        width = self.sigma * samples**0.5
        noise = np.random.default_rng([_TRACE_STREAM, seed]).normal(scale=width, size=(*bits.shape, samples, 2))
        traces: NDArray[np.complex128] = noise.view(np.complex128)[..., 0]
        traces += (blurred - traces.mean(axis=-1))[..., None]
        traces += clean[..., None] * (rising / rising.mean())
        return traces

    def to_dict(self, qubits: Iterable[int]) -> dict[str, Any]:
        """The model as JSON, with the centres ``[[I, Q] of 0, [I, Q] of 1]`` of these qubits."""
        listed = sorted(set(qubits))
        return {
            "model": "gaussian",
            "separation": self.separation,
            "sigma": self.sigma,
            "centres": {
                str(qubit): [[round(point.real, 9), round(point.imag, 9)] for point in pair]
                for qubit, pair in zip(listed, self.centres(listed).tolist(), strict=True)
            },
        }


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


class SimulatorExecutor(CircuitExecutor):
    """An executor that samples bits from circuits; subclasses say how to compile, simulate and what it costs."""

    class Options(ExecutorOptions, frozen=True, kw_only=True):
        iq_separation: Annotated[
            float, Meta(gt=0, description="distance between the centres of 0 and 1 in the IQ plane")
        ] = 1.0
        iq_sigma: Annotated[float, Meta(ge=0, description="width of the readout noise per quadrature")] = 0.2
        trace_samples: Annotated[int, Meta(ge=1, le=4096, description="samples of a trace at meas_level 0")] = 100
        trace_s: Annotated[float, Meta(gt=0, le=1, description="seconds that a trace lasts")] = 1e-6
        seed: Annotated[int, Meta(ge=0, description="seed of jobs that bring none; unset: a fresh one each")] | None = (
            None
        )

    libraries: ClassVar[tuple[str, ...]] = ("qiskit", "numpy", "xarray")
    """Distributions whose versions go into the provenance."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._slower = 1.0
        """How much longer than estimated the last chunk took."""
        self._readout = ReadoutModel(separation=self.options.iq_separation, sigma=self.options.iq_sigma)

    @abstractmethod
    def compile(self, run: Run) -> QuantumCircuit:
        """The circuit as the simulator takes it.

        Raises
        ------
        ProgramError, QiskitError
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

    def runs(self, program: Program) -> list[Run]:
        """As `Executor.runs`; operations that it cannot run, or whose outcome no result holds, are refused."""
        runs = super().runs(program)
        for run in runs:
            if run.row_index in (None, 0):
                self._check_operations(program, run)
        return runs

    def _check_operations(self, program: Program, run: Run) -> None:
        if variables := sorted(run.analysis.variables):
            what = (
                f"has {variables[0]!r}, a variable or stretch with a value only while it runs, which this "
                "simulator cannot compute: branch on measured bits (circuit.if_test), and give delays as numbers"
            )
            raise _refusal(program, run, variables[0], what)
        for operation in sorted(run.analysis.opaque, key=lambda opaque: opaque.name):
            if operation.name.startswith(_RECORDS):
                what = (
                    f"asks for {operation.name!r}, which no result of a lab holds: results are counts, single shots, "
                    "IQ points and traces. Take it out, or run the circuit on a simulator in the notebook"
                )
                raise _refusal(program, run, operation.name, what)
            if not self.knows(operation):
                what = (
                    f"has {operation.name!r}, which is only a name here: give it a definition made of other gates, or "
                    "transpile the circuit for this QPU first"
                )
                raise _refusal(program, run, operation.name, what)

    def knows(self, operation: Opaque) -> bool:
        """Whether it runs an operation that has no definition."""
        return False

    def estimate(self, program: Program) -> Estimate:
        """The sum of the circuits' times; the memory of the largest one, beside the process's own."""
        runs = self.runs(program)
        costs = [self.cost(run) for run in runs]
        sample_bytes = _SAMPLE_BYTES * self.options.trace_samples if program.options.meas_level == 0 else 0
        shots_bytes = sum(run.shots * (_BYTES_PER_SHOT + (1 + sample_bytes) * len(run.slots)) for run in runs)
        likely_s = min(sum(cost.likely_s for cost in costs), MAX_ESTIMATE_S)
        memory_bytes = _BASE_BYTES + shots_bytes + max(cost.memory_bytes for cost in costs)
        return Estimate(
            estimate_s=likely_s,
            upper_s=min(max(likely_s, 1.0 + sum(cost.upper_s for cost in costs)), MAX_ESTIMATE_S),
            memory_bytes=min(memory_bytes, MAX_ESTIMATE_BYTES),
            num_circuits=len(runs),
        )

    def preview(self, program: Program) -> Preview:
        """As `Executor.preview`: the circuits as they are simulated, which knows no time."""
        return previews.of_circuits(self.runs(program), lambda run: previews.of_native(run, self._compiled(run)))

    def provenance(self, program: Program) -> dict[str, Any]:
        """Library versions, and the readout model where it was used."""
        facts: dict[str, Any] = {"libraries": _versions(self.libraries)}
        if program.options.meas_level < 2:
            qubits = {qubit for parsed in parse(program) for qubit in parsed.analysis.slots.measured().qubit}
            facts["readout"] = self._readout.to_dict(qubits)
        return facts

    def run(
        self, program: Program, *, progress: Callable[[float], None], cancelled: Callable[[], bool]
    ) -> list[xr.Dataset]:
        """Sample every circuit; see `Executor.run`."""
        options = program.options
        runs = self.runs(program)
        first_seed = self.options.seed if options.seed_simulator is None else options.seed_simulator
        datasets: list[xr.Dataset] = []
        self._slower = 1.0
        for chunk in self._chunks(runs):
            if cancelled():
                raise RunCancelled
            start = time.perf_counter()
            outcomes = self.simulate(
                [self._compiled(run) for run in chunk],
                shots=chunk[0].shots,
                seed=None if first_seed is None else first_seed + SEED_SHIFT * len(datasets),
                memory=options.memory or options.meas_level < 2,
                sampled=not any(run.analysis.control_flow or run.analysis.mid_circuit for run in chunk),
            )
            first = len(datasets)
            datasets += [self._dataset(run, outcome, options) for run, outcome in zip(chunk, outcomes, strict=True)]
            if len(datasets) < len(runs):  # the last ones come with the result
                for index, dataset in enumerate(datasets[first:], first):
                    self.partial(index, dataset)
            self._compare(sum(self.cost(run).likely_s for run in chunk), time.perf_counter() - start)
            progress(len(datasets) / len(runs))
        return datasets

    def _compare(self, likely_s: float, took_s: float) -> None:
        """Cut the next chunk by how long the last one really took."""
        self._slower = min(max(took_s / max(likely_s, 1e-6), 1 / _MOST_OFF), _MOST_OFF)

    def _chunks(self, runs: list[Run]) -> Iterator[list[Run]]:
        """Neighbours with equal shots, together about as long as `_CHUNK_S`; where cut, the seeds do not change."""
        chunk: list[Run] = []
        chunk_s = 0.0
        for run in runs:
            likely_s = self._slower * self.cost(run).likely_s
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
        except (QiskitError, ArithmeticError) as error:
            said = error.message if isinstance(error, QiskitError) else "a number in it is too large."
            raise ProgramError(
                f"Circuit {run.circuit_index} cannot be compiled for this simulator: {said}",
                code="not_compilable",
                circuit=run.circuit_index,
            ) from error

    def _dataset(self, run: Run, outcome: Outcome, options: RunOptions) -> xr.Dataset:
        from qpi_jupyter.data.build import bits_dataset, counts_dataset, iq_dataset, traces_dataset

        info = run.info(options, seed=outcome.seed)
        if outcome.memory is None:
            return counts_dataset(info, {int(key, 16): count for key, count in outcome.counts.items()})
        bits = _bits(outcome, len(run.slots))
        if options.meas_level == 2:
            return bits_dataset(info, bits, run.slots)
        slots = run.slots.measured()
        measured = bits[:, list(slots.clbit)]
        if options.meas_level == 1:
            iq = self._readout.signal(measured, slots.qubit, outcome.seed)
            return iq_dataset(info, iq if options.meas_return == "single" else iq.mean(axis=0), slots)
        samples = self.options.trace_samples
        traces = self._readout.traces(measured, slots.qubit, outcome.seed, samples)
        wanted = traces if options.meas_return == "single" else traces.mean(axis=0)
        return traces_dataset(info, wanted, slots, self.options.trace_s / samples)


def _refusal(program: Program, run: Run, operation: str, what: str) -> ProgramError:
    """Refuse an operation, with its place where the program is a text."""
    index, line, column = run.circuit_index, None, None
    if program.format != QPY.name:
        line, column = locate(program.sources[index], operation)
    place = f" (line {line}, column {column})" if line is not None else ""
    return ProgramError(
        f"Circuit {index} ({run.circuit.name!r}) {what}{place}.",
        code="unsupported_operation",
        circuit=index,
        line=line,
        column=column,
        gate=operation,
    )


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
