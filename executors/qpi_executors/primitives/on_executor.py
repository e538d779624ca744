"""The primitives on an executor that runs circuits: whoever takes QPY takes pubs, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from qpi_executors.base import Executor
from qpi_executors.runner import run_program
from qpi_jupyter.core import Calibration, Estimate, Faulted, Manifest, Program, ProgramFormat, Rejected, RunOptions
from qpi_jupyter.data.formats import QPY
from qpi_jupyter.data.primitives import ESTIMATOR, SAMPLER
from qpi_jupyter.data.quantum_programs import QUANTUM_PROGRAM

if TYPE_CHECKING:
    import xarray as xr
    from qiskit import QuantumCircuit
    from qiskit.providers import BackendV2
    from qiskit.result import Result
    from qiskit.transpiler import Target

    from .pubs import Work

_OURS = (SAMPLER, ESTIMATOR, QUANTUM_PROGRAM)
_NAMES = frozenset(form.name for form in _OURS)


def offered(executor: Executor) -> Manifest:
    """The manifest of an executor, with the primitives where it takes Qiskit's circuits."""
    manifest = executor.manifest
    if QPY.name not in manifest.formats:
        return manifest
    missing = tuple(form for form in _OURS if form.name not in manifest.formats)
    return replace(
        manifest,
        formats=(*manifest.formats, *(form.name for form in missing)),
        format_facts=(*manifest.format_facts, *(form.facts() for form in missing)),
    )


def for_program(executor: Executor, program: Program) -> Executor:
    """What runs a program: the executor itself, or, where the program is pubs that it does not read, a primitive."""
    by_itself = program.format not in _NAMES or program.format in executor.manifest.formats
    return executor if by_itself else Primitives(executor)


class Primitives(Executor):
    """Sampler and estimator on another executor, which sees circuits alone."""

    formats: ClassVar[tuple[ProgramFormat, ...]] = _OURS

    def __init__(self, inner: Executor) -> None:
        super().__init__()
        self._inner = inner
        self._known: tuple[Program, Estimate] | None = None

    def capabilities(self) -> Manifest:
        """Those of the executor."""
        return replace(self._inner.capabilities(), formats=tuple(_NAMES))

    def calibration(self) -> Calibration:
        """That of the executor."""
        return self._inner.calibration()

    def provenance(self, program: Program) -> dict[str, Any]:
        """That of the executor."""
        return self._inner.provenance(program)

    def validate(self, program: Program) -> None:
        """As `Executor.validate`: what the pubs are, and what the executor refuses of their circuits."""
        self.estimate(program)

    def estimate(self, program: Program) -> Estimate:
        """The sum of the executor's own, for each number of shots."""
        if self._known is not None and self._known[0] is program:
            return self._known[1]
        work = self._work(program)
        parts = [self._estimated(work, shots) for shots in sorted({*map(work.shots, range(len(work.pubs)))})]
        estimate = Estimate(
            estimate_s=sum(part.estimate_s for part in parts),
            upper_s=sum(part.upper_s for part in parts),
            memory_bytes=max(part.memory_bytes for part in parts),
            num_circuits=len(work.pubs),
        )
        self._known = program, estimate
        return estimate

    def run(
        self, program: Program, *, progress: Callable[[float], None], cancelled: Callable[[], bool]
    ) -> list[xr.Dataset]:
        """As `Executor.run`: a Dataset of kind ``arrays`` for each pub."""
        from .measuring import measured, on_backend

        def measure(work: Work, stop: Callable[[], bool]) -> Sequence[Any]:
            from qpi_jupyter.data.qiskit_results import to_result

            groups = len({*map(work.shots, range(len(work.pubs)))})

            def run(inner: Program) -> Result:
                told = progress if groups == 1 else lambda share: None
                return to_result(run_program(self._inner, inner, progress=told, cancelled=stop))

            return on_backend(work, _backend(self._inner.capabilities(), run), self._times(work))

        return measured(self._work(program), measure, progress=progress, cancelled=cancelled)

    def _work(self, program: Program) -> Work:
        from .quantum_programs import work_of

        self.check(program)
        manifest = self._inner.capabilities()
        work = work_of(program, max_shots=manifest.max_shots)
        if work.meas_level not in manifest.meas_levels or work.meas_return not in manifest.meas_returns:
            raise Rejected(
                f"{manifest.executor} does not return IQ points: use options.execution.meas_type = 'classified'.",
                code="bad_option", field="execution.meas_type",
            )  # fmt: skip
        return work.decoupled_by(self._times(work), manifest.executor)

    def _times(self, work: Work) -> Target | None:
        """The executor's gates with their times, in steps of a nanosecond where it names none; None: nobody asks."""
        if work.decoupling is None:
            return None
        from qpi_jupyter.data.targets import target_of

        manifest = self._inner.manifest
        return target_of(replace(manifest, dt_s=manifest.dt_s or 1e-9))

    def _estimated(self, work: Work, shots: int) -> Estimate:
        """The executor's own word on the circuits that have these shots."""
        from .measuring import on_backend

        def look(inner: Program) -> NoReturn:
            self._inner.validate(inner)
            raise _Known(self._inner.estimate(inner))

        some = replace(work, pubs=tuple(pub for k, pub in enumerate(work.pubs) if work.shots(k) == shots))
        try:
            on_backend(some, _backend(self._inner.capabilities(), look), self._times(work))
        except _Known as known:
            return known.estimate
        raise AssertionError("a primitive ran nothing")


class _Known(Exception):
    """Enough is known: nothing has to run."""

    def __init__(self, estimate: Estimate) -> None:
        super().__init__()
        self.estimate = estimate


def _backend(manifest: Manifest, run: Callable[[Program], Result]) -> BackendV2:
    """A Qiskit backend that runs circuits by ``run``."""
    from qiskit.circuit.library import get_standard_gate_name_mapping
    from qiskit.providers import BackendV2, Options
    from qiskit.transpiler import Target

    from qpi_jupyter.data.circuits import to_qpy

    standard = get_standard_gate_name_mapping()
    known = Target(num_qubits=manifest.num_qubits)
    for name in {*manifest.basis_gates, "measure"} & standard.keys():
        known.add_instruction(standard[name], name=name)

    class Backend(BackendV2):  # type: ignore[misc]  # qiskit has no types
        target, max_circuits = known, None

        @classmethod
        def _default_options(cls) -> Options:
            return Options()

        def run(self, circuits: list[QuantumCircuit], **options: Any) -> _Done:
            wanted = RunOptions(
                shots=options["shots"], seed_simulator=options.get("seed_simulator"), memory=True,
                meas_level=options.get("meas_level", 2), meas_return=options.get("meas_return", "single"),
            )  # fmt: skip
            result = run(Program(format=QPY.name, sources=(to_qpy(circuits),), options=wanted))
            if options.get("memory") and any(getattr(found.data, "memory", None) is None for found in result.results):
                message = f"{manifest.executor} returned no single shots, which a sampler needs."
                raise Faulted(message, code="bad_executor")
            return _Done(result)

    return Backend(name=manifest.executor)


class _Done:
    """A Qiskit job that is over."""

    def __init__(self, result: Result) -> None:
        self._result = result

    def result(self) -> Result:
        return self._result
