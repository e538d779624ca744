"""What the pulse executors share: from circuits over compiled schedules to Datasets."""

from __future__ import annotations

import hashlib
import logging
import secrets
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.exceptions import QiskitError

from qpi_executors import previews
from qpi_executors.base import CircuitExecutor, RunCancelled
from qpi_executors.costs import usable_bytes
from qpi_executors.options import ExecutorOptions
from qpi_executors.programs import Run
from qpi_executors.simulator import SEED_SHIFT
from qpi_jupyter.core import (
    MAX_ESTIMATE_S,
    CircuitPreview,
    Estimate,
    Faulted,
    Manifest,
    Preview,
    Program,
    ProgramError,
    QpiError,
    Rejected,
    counted,
)
from qpi_jupyter.core.bounds import MAX_TEXT, readable

from . import twin
from .cluster import Claim
from .device import Device, Hardware
from .files import load
from .frames import Frames
from .front import BASIS, DT_S, GRID_NS, Front
from .previews import in_time
from .readouts import bits, chunks, complete, no_data, require_bits, slots_of
from .stack import ControlStack, Points
from .submitted import ScheduleRun, Submitted, read
from .sweeps import Sweep, turned
from .timing import Timeline

if TYPE_CHECKING:
    import xarray as xr

    from qpi_jupyter.data.schedules import ScheduleFormat

EXAMPLE = tuple(Path(__file__).parent / "examples" / f"five_transmons{part}.json" for part in ("", "_cluster"))
"""The device and the cluster that come with the package."""
_log = logging.getLogger(__name__)
MAX_BINS = 131_072
"""What one sequencer keeps: more shots are run in several goes."""
MAX_SHOTS = 1_000_000
_STREAM = 0x54
"""Keeps the twin's random numbers apart from what else a seed is used for."""
_COMPILE_S, _COMPILE_PER_SHOT_S = 0.3, 2e-4
"""What a circuit costs beside its shots: compiling it, and bringing its points home."""
_BASE_BYTES, _BYTES_PER_POINT = 400 << 20, 500
"""A process with a scheduler in it, and what a point takes on its way: it is text, for a while."""
_CACHED_CIRCUITS = 256
"""Of a job that is checked, estimated and run, each circuit is transpiled once, if there are not more."""
Found = TypeVar("Found")
_MARGIN_S, _MARGIN = 10.0, 1.5
"""A run gets half as long again as its shots take, and this on top."""


class PulseExecutor(CircuitExecutor):
    """An executor that compiles circuits to pulses, for a `ControlStack` that a subclass names."""

    name: ClassVar[str]
    library: ClassVar[str]
    schedules: ClassVar[ScheduleFormat]

    class Options(ExecutorOptions, frozen=True, kw_only=True):
        device: (
            Annotated[str, Meta(description="path of the device file; unset: the example with five transmons")] | None
        ) = None
        hardware: (
            Annotated[str, Meta(description="path of the hardware configuration; unset: the example's")] | None
        ) = None
        is_dummy: (
            Annotated[
                bool, Meta(description="no instrument: a physical twin of the device answers; unset: for the example")
            ]
            | None
        ) = None
        reset: Annotated[
            Literal["passive", "active"],
            Meta(description="how qubits begin: passive waits, active measures and turns those that read 1"),
        ] = "passive"
        seed: (
            Annotated[int, Meta(ge=0, description="of the twin, for jobs that bring none; unset: a fresh one")] | None
        ) = None

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        settings = self.options
        if (settings.device is None) != (settings.hardware is None):
            missing = "device" if settings.device is None else "hardware"
            raise Rejected(
                f"A device file and a hardware configuration belong together: give the option {missing!r}, too.",
                code="bad_option", field=missing,
            )  # fmt: skip
        example = settings.device is None
        self.dummy: bool = example if settings.is_dummy is None else settings.is_dummy
        if example and not self.dummy:
            raise Rejected(
                "The example describes no real instrument: give the options 'device' and 'hardware', or leave out "
                "'is_dummy'.",
                code="bad_option", field="is_dummy",
            )  # fmt: skip
        paths = EXAMPLE if example else (Path(settings.device), Path(settings.hardware))
        setup = load(paths, library=self.name, dummy=self.dummy)
        self.device: Device = setup.device
        self.hardware: Hardware = setup.hardware
        for said in () if example else setup.warnings:
            _log.warning("%s", said)
        self.front = Front(self.device)
        self._config_sha256 = hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()
        self._stack: ControlStack | None = None
        self._claims: list[Claim] = []
        self._sweeps: OrderedDict[int, tuple[QuantumCircuit, Sweep]] = OrderedDict()
        self._kept: tuple[Timeline, dict[tuple[int, bool, str], tuple[Any, Frames]]] | None = None

    @abstractmethod
    def stack(self, *, dummy: bool) -> ControlStack:
        """A new, unopened stack of the device and hardware; this is where the library is imported."""

    def open(self) -> None:
        """Import the library and connect; see `Executor.open`."""
        self._open(dummy=self.dummy)

    def _open(self, *, dummy: bool) -> None:
        if self._stack is not None:
            return
        instruments = () if dummy else self.hardware["hardware_description"].values()
        self._claims = [Claim(facts["ip"]) for facts in instruments if facts["instrument_type"] == "Cluster"]
        stack: ControlStack | None = None
        try:
            stack = self.stack(dummy=dummy)
            stack.open()
        except Exception as error:
            if stack is not None:
                stack.close()
            self._release()
            raise self._unopened(error) from error
        self._stack = stack

    def close(self) -> None:
        """Let go of the instruments; see `Executor.close`."""
        if self._stack is not None:
            self._stack.close()
            self._stack = self._kept = None
            self._release()

    def capabilities(self) -> Manifest:
        """The device: its native gates, edges, durations, errors and coherence."""
        return self._manifest

    def runs(self, program: Program) -> Sequence[Run | ScheduleRun]:  # type: ignore[override]
        """As `CircuitExecutor.runs`; what the instrument cannot do is refused with the reason."""
        if program.options.meas_level == 0 and program.options.meas_return != "avg":
            raise Rejected(
                "The instrument averages traces (meas_level=0) over the shots: ask for meas_return='avg'.",
                code="bad_option", field="meas_return",
            )  # fmt: skip
        if program.format == self.schedules.name:
            self.check(program)
            return read(program, self.schedules, self.device)
        return super().runs(program)

    def validate(self, program: Program) -> None:
        """As `Executor.validate`: every circuit is compiled to timed native gates, of parameter rows the first."""
        for run in self.runs(program):
            if run.row_index in (None, 0):
                plan = self.timeline(run)
                require_bits(plan, program, run.circuit_index)
                self._check_memory(plan, run)
                if self.dummy:
                    twin.check_size(plan.qubits)

    def estimate(self, program: Program) -> Estimate:
        """The length of each shot is that of the compiled circuit."""
        runs = self.runs(program)
        plans = {run.circuit_index: self.timeline(run) for run in runs if run.row_index in (None, 0)}
        likely_s = sum(
            _COMPILE_S + run.shots * _COMPILE_PER_SHOT_S + self._shots_s(plans[run.circuit_index], run.shots)
            for run in runs
        )
        return Estimate(
            estimate_s=min(likely_s, MAX_ESTIMATE_S),
            upper_s=min(_MARGIN_S + 5 * likely_s, MAX_ESTIMATE_S),
            memory_bytes=_BASE_BYTES + max(self._shots_bytes(plans[run.circuit_index], run.shots) for run in runs),
            num_circuits=len(runs),
        )

    def preview(self, program: Program) -> Preview:
        """As `Executor.preview`: compiled as for a run, on dummies of the instruments."""
        runs, unopened = self.runs(program), self._stack is None
        self._open(dummy=True)
        try:
            return previews.of_circuits(runs, self._preview)
        finally:
            if unopened:
                self.close()

    def _preview(self, run: Run | ScheduleRun) -> CircuitPreview:
        plan = self.timeline(run)
        events = self.opened.events(self._compiled(plan, {}, 1, average=False))
        if isinstance(run, ScheduleRun):
            written = CircuitPreview(name=readable(run.name, MAX_TEXT), shots=run.shots)
        else:
            written = previews.of_native(run, self.front.native(run.circuit))
        return in_time(written, plan, self.device, events)

    def _shots_s(self, plan: Timeline, shots: int) -> float:
        """How long the instrument takes, or the twin."""
        if not self.dummy:
            return shots * plan.shot_s
        return twin.duration_s(plan.steps, len(plan.qubits), plan.splits, shots)

    def _shots_bytes(self, plan: Timeline, shots: int) -> int:
        states = twin.cost(len(plan.qubits), plan.splits, shots).memory_bytes if self.dummy else 0
        return shots * len(plan.labels) * _BYTES_PER_POINT + states

    def _check_memory(self, plan: Timeline, run: Run | ScheduleRun) -> None:
        needed, usable = _BASE_BYTES + self._shots_bytes(plan, run.shots), usable_bytes()
        if needed > usable:
            raise Rejected(
                f"Circuit {run.circuit_index}: {run.shots:,} shots of {counted(len(plan.labels), 'measurement')} take "
                f"{needed / 2**30:.1f} GiB of memory; here are {usable / 2**30:.1f} GiB: ask for fewer shots.",
                code="too_large", field="shots",
            )  # fmt: skip

    def provenance(self, program: Program) -> dict[str, Any]:
        """Library versions, and where the blobs of each qubit lie, if the device file says."""
        libraries = {name: _version(name) for name in (self.library, "qblox-instruments", "qiskit")}
        readouts = [qubit.readout for qubit in self.device.qubits.values()]
        centres = {
            str(k): [[centre.real, centre.imag] for centre in readout.centres]
            for k, readout in enumerate(readouts)
            if readout.centres is not None
        }
        return {"libraries": libraries, "readout": {"model": "gaussian", "centres": centres} if centres else None}

    def run(
        self, program: Program, *, progress: Callable[[float], None], cancelled: Callable[[], bool]
    ) -> list[xr.Dataset]:
        """Compile and measure one circuit after the other; see `Executor.run`."""
        runs, options = self.runs(program), program.options
        seed = self.options.seed if options.seed_simulator is None else options.seed_simulator
        seed = secrets.randbits(32) if seed is None else seed
        datasets: list[xr.Dataset] = []
        for run in runs:
            if cancelled():
                raise RunCancelled

            def measured(share: float, before: int = len(datasets)) -> None:
                progress((before + share) / len(runs))

            dataset = self._measured(run, program, seed + SEED_SHIFT * len(datasets), measured, cancelled)
            self.partial(len(datasets), dataset)
            datasets.append(dataset)
            progress(len(datasets) / len(runs))
        return datasets

    def timeline(self, run: Run | ScheduleRun) -> Timeline:
        """When the circuit's native operations happen on this device.

        Raises
        ------
        ProgramError
            it cannot be compiled for this device.
        """
        return run.plan if isinstance(run, ScheduleRun) else self._of_sweep(run, Sweep.timeline)

    def _plan(self, run: Run | ScheduleRun) -> tuple[Timeline, dict[float, float]]:
        """What is compiled for it, and the angles that it has in the place of marks."""
        if isinstance(run, ScheduleRun):
            return run.plan, {}
        return self._of_sweep(run, Sweep.pattern), self._of_sweep(run, Sweep.angles)

    def _of_sweep(self, run: Run, what: Callable[[Sweep, Mapping[str, float]], Found]) -> Found:
        try:
            return what(self._sweep(run.unbound), run.parameters)
        except (QiskitError, ArithmeticError, ValueError) as error:
            said = error.message if isinstance(error, QiskitError) else str(error)
            raise ProgramError(
                f"Circuit {run.circuit_index} ({run.circuit.name!r}) cannot be compiled for {self.device.name}: {said}",
                code="not_compilable", circuit=run.circuit_index,
            ) from error  # fmt: skip

    def _sweep(self, circuit: QuantumCircuit) -> Sweep:
        """A circuit's, made once; the circuit is kept with it, for its id is another one's when it is gone."""
        if id(circuit) not in self._sweeps:
            self._sweeps[id(circuit)] = (
                circuit,
                Sweep(self.front.native(circuit), self.device, active_reset=self.options.reset == "active"),
            )
            if len(self._sweeps) > _CACHED_CIRCUITS:
                self._sweeps.popitem(last=False)
        return self._sweeps[id(circuit)][1]

    def _unopened(self, error: Exception) -> QpiError:
        """What keeps the stack from opening: a file of the user's, or an instrument that is away."""
        if isinstance(error, QpiError):
            return error
        said = " ".join(str(error).split())
        if isinstance(error, ValueError | KeyError | TypeError | AttributeError):
            message = f"{self.library} cannot use the hardware or device file: {type(error).__name__}: {said}"
            return Rejected(message, code="bad_option", field="hardware")
        what = "make its dummy instruments" if self.dummy else "reach its instruments"
        return Faulted(f"{self.name} cannot {what}: {type(error).__name__}: {said}", code="no_instrument")

    def _measured(
        self,
        run: Run | ScheduleRun,
        program: Program,
        seed: int,
        progress: Callable[[float], None],
        cancelled: Callable[[], bool],
    ) -> xr.Dataset:
        from qpi_jupyter.data.build import iq_dataset, traces_dataset

        options, (plan, angles) = program.options, self._plan(run)
        for asked_s, taken_s in plan.rounded if run.row_index in (None, 0) else ():
            _log.warning(
                "Circuit %d: a delay of %.9g s is %.9g s here, on the grid of %d ns.",
                run.circuit_index,
                asked_s,
                taken_s,
                GRID_NS,
            )
        info = run.info(options, seed=seed)
        if plan.rounded:
            info = replace(info, metadata={**info.metadata, "rounded_delays_s": [list(pair) for pair in plan.rounded]})
        rng = np.random.default_rng([_STREAM, seed])
        slots = slots_of(plan, self.device)
        if options.meas_level == 0:
            traces = np.stack([self._trace(plan, angles, label, run.shots, rng) for label in plan.labels.values()])
            return traces_dataset(info, traces, slots, 1e-9)
        average = options.meas_level == 1 and options.meas_return == "avg"
        points = self._points(plan, angles, run.shots, average, rng, progress, cancelled)
        if average:
            return iq_dataset(info, points.mean(axis=0), slots)
        if options.meas_level == 1:
            return iq_dataset(info, points, slots)
        return bits(info, points, slots, plan, self.device, memory=options.memory)

    def _points(
        self, plan: Timeline, angles: Mapping[float, float], shots: int, average: bool, rng: np.random.Generator,
        progress: Callable[[float], None], cancelled: Callable[[], bool],
    ) -> NDArray[np.complex128]:  # fmt: skip
        """The points, shape ``(shots, slots)``; where the instrument averages, one row a go, all of equal weight."""
        rows, done = [], 0
        for chunk in [shots] if average else chunks(shots, plan.bins, MAX_BINS):
            if cancelled():
                raise RunCancelled
            compiled = self._compiled(plan, angles, chunk, average)
            found = self._go(compiled, plan, chunk, average, rng)
            rows.append(complete(found, plan, 1 if average else chunk))
            done += chunk
            progress(done / shots)
        return np.concatenate(rows)

    def _go(self, compiled: Any, plan: Timeline, shots: int, average: bool, rng: np.random.Generator) -> Points:
        if self.dummy:
            points = self._twin_points(compiled, shots, rng)
            averaged = {label: values.mean(keepdims=True) for label, values in points.items()}
            self.opened.inject(compiled, averaged if average else points)
        return self._run(compiled, plan, shots)

    def _trace(
        self, plan: Timeline, angles: Mapping[float, float], label: str, shots: int, rng: np.random.Generator
    ) -> NDArray[np.complex128]:
        """The mean trace of one acquisition: a module keeps the signal of one at a time."""
        compiled = self._compiled(plan, angles, shots, average=True, trace=label)
        if self.dummy:
            points = self._twin_points(compiled, shots, rng)
            injected = {name: values.mean(keepdims=True) for name, values in points.items()}
            readout = self.device.qubits[self._qubit_of(plan, label)].readout
            samples = round(readout.integration_s * 1e9)
            injected[label] = twin.trace(points[label], samples, rng, twin.blobs(readout)[1])
            self.opened.inject(compiled, injected)
        found = self._run(compiled, plan, shots).get(label, np.empty(0, dtype=np.complex128))
        if not found.size or not np.isfinite(found).all():
            raise no_data(self._qubit_of(plan, label), "no trace")
        return found

    def _twin_points(self, compiled: Any, shots: int, rng: np.random.Generator) -> Points:
        """What the twin of the device answers to the compiled pulses."""
        return twin.answer(self.opened.events(compiled), self.device, shots, rng)

    def _run(self, compiled: Any, plan: Timeline, shots: int) -> Points:
        timeout_s = _MARGIN_S + _MARGIN * shots * plan.shot_s
        try:
            return self.opened.run(compiled, timeout_s)
        except QpiError:
            raise
        except TimeoutError as error:
            raise Faulted(
                f"The instrument did not finish within {timeout_s:.0f} s; the shots take {shots * plan.shot_s:.3g} s. "
                "Check the cluster, and restart it if it hangs; the job is tried again.",
                code="timeout",
            ) from error
        except Exception as error:  # the library's own, of many kinds, or the connection's
            said = " ".join(str(error).split())
            raise Faulted(
                f"{self.name} lost its instrument while the shots ran: {type(error).__name__}: {said} Check the "
                "cluster's power and network; the job is tried again.",
                code="instrument_lost",
            ) from error

    def _compiled(
        self, plan: Timeline, angles: Mapping[float, float], shots: int, average: bool, trace: str = ""
    ) -> Any:  # the library's own
        """The compiled schedule with these angles; it is compiled once while the plan stays the same."""
        if self._kept is None or self._kept[0] is not plan:
            self._kept = plan, {}
        compiled = self._kept[1]
        key = (shots, average, trace)
        if key not in compiled:
            made = self._made(plan, shots, average, trace)
            compiled[key] = made, Frames(made, angles)
        found, frames = compiled[key]
        if not frames.whole:
            return self._made(turned(plan, angles), shots, average, trace)
        frames.turn(angles)
        return found

    def _made(self, plan: Timeline, shots: int, average: bool, trace: str) -> Any:
        try:
            if isinstance(plan, Submitted):
                return self.opened.compile_submitted(plan, shots, average=average, trace=trace)
            return self.opened.compile(plan, shots, average=average, trace=trace)
        except QpiError:
            raise
        except Exception as error:  # the library's own, of many kinds
            said = " ".join(str(error).split())
            raise ProgramError(f"{self.library} cannot compile it: {said}", code="not_compilable") from error

    def _qubit_of(self, plan: Timeline, label: str) -> str:
        return next(name for name, labels in plan.acquisitions.items() if label in labels)

    @property
    def opened(self) -> ControlStack:
        assert self._stack is not None, "open it first"
        return self._stack

    def _release(self) -> None:
        while self._claims:
            self._claims.pop().release()

    @cached_property
    def _manifest(self) -> Manifest:
        return Manifest(
            executor=self.name,
            executor_version=_version(self.library),
            num_qubits=len(self.device.names),
            basis_gates=BASIS,
            coupling_map=self.front.edges,
            control_flow=True,
            meas_levels=(0, 1, 2),
            max_shots=MAX_SHOTS,
            simulator=self.dummy,
            dt_s=DT_S,
            gates=self.front.gates,
            qubits=self.front.qubits,
            calibration_id=self.device.calibration_id or self._config_sha256[:16],
            config_sha256=self._config_sha256,
            description=f"{self.device.name} through {self.library}{', a physical twin' if self.dummy else ''}.",
        )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"
