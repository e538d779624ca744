"""The executor contract: ten lines are enough for a new one of circuits (``docs/how-to/custom-executor.md``)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from qpi_jupyter.core import (
    OPENQASM2,
    OPENQASM3,
    Calibration,
    Estimate,
    Manifest,
    Preview,
    Program,
    ProgramFormat,
    Rejected,
    calibration_of,
    check_fit,
    check_program,
    unknown_format,
)
from qpi_jupyter.data.formats import QPY

from .options import ExecutorOptions

if TYPE_CHECKING:
    import xarray as xr

    from .programs import Run


class RunCancelled(Exception):
    """`Executor.run` stopped because ``cancelled()`` said so; there is no result."""


class Executor(ABC):
    """Runs programs of its formats on one processor and returns one Dataset per program and parameter row.

    ====================================== =========================================================================
    call                                   when
    ====================================== =========================================================================
    ``Executor(**options)``                any time, any number of times; it touches no instrument
    ``capabilities``, ``validate``,        any time, before `open` and beside a running `run` of another instance:
    ``estimate``, ``preview``              they touch no instrument; a repeat gives the same answer
    ``open``                               once before the first `run`; a repeat does nothing
    ``run``                                after `open`, one at a time; a repeat measures again
    ``readings``                           any time, in a process of its own that opens nothing; see there
    ``calibration``                        any time but during `run`: before `open` what its files say, then what it
                                           runs on; it may be another one after a run
    ``close``                              last, also after a failed `open`; a repeat does nothing
    ====================================== =========================================================================

    Only `formats`, `capabilities` and `run` have to be written; for Qiskit circuits begin with `CircuitExecutor`. Each
    instance lives in a process of its own, which the driver may kill at any moment: leave no state that a kill would
    spoil.

    Raise `Rejected` or `ProgramError` where the program is at fault (the job fails, finally) and `Faulted` where the
    bench is (the job may be tried again); anything else counts as `Faulted`.
    """

    Options: ClassVar[type[ExecutorOptions]] = ExecutorOptions
    """What the constructor takes; a class of one's own is nested here."""
    formats: ClassVar[tuple[ProgramFormat, ...]] = ()
    """The program formats that it reads; `capabilities` may name fewer."""

    needs: ClassVar[tuple[str, ...]] = ()
    """Modules that `open` imports: where one is not installed, programs are checked but no driver starts."""

    def __init__(self, **options: object) -> None:
        # Of the nested class, which the type checker cannot see: hence Any.
        self.options: Any = self.Options.read(options, type(self).__name__)

    heard: Callable[[int, xr.Dataset], None] | None = None
    """Who is told of what `partial` hands over; whoever runs the executor sets it before `run`."""

    def partial(self, index: int, dataset: xr.Dataset) -> None:
        """Call it in `run` with what is already measured: people see it grow while the rest is still to come.

        As often as convenient, in any order, or never; what comes too fast is sent on with the next call of this, of
        ``progress`` or of ``cancelled``. The list that `run` returns has the same Dataset at ``index``;
        what was handed over is forgotten if `run` fails. Do not change the Dataset afterwards.
        """
        if self.heard is not None:
            self.heard(index, dataset)

    @abstractmethod
    def capabilities(self) -> Manifest:
        """What the processor can do: the public manifest, and the source of the Qiskit Target."""

    @abstractmethod
    def run(
        self, program: Program, *, progress: Callable[[float], None], cancelled: Callable[[], bool]
    ) -> list[xr.Dataset]:
        """Measure, and return one Dataset for each program and row in order, in the conventions of `qpi_jupyter.data`.

        Parameters
        ----------
        program
            one that `validate` lets pass.
        progress
            call it with the finished share (0 to 1) as often as convenient.
        cancelled
            ask it between pieces of work.

        Raises
        ------
        RunCancelled
            ``cancelled()`` was true.
        """

    def validate(self, program: Program) -> None:
        """Refuse what cannot run, with the reason; return nothing when all is well. Here: what `check` refuses.

        Raises
        ------
        Rejected, ProgramError, TooLarge
            what is wrong and what would be right; a bad text names line and column.
        """
        self.check(program)

    def estimate(self, program: Program) -> Estimate:
        """The time and memory the program needs; by default a millisecond a shot, and ten times that as the bound."""
        self.check(program)
        own = (program.circuit_options(index).shots for index in range(len(program.sources)))
        return _by_shots([program.options.shots if shots is None else shots for shots in own])

    def calibration(self) -> Calibration:
        """The values that the next run is measured with; by default those in `capabilities`.

        An executor that calibrates returns what it found, with when (``at``) and, if it has one, its own ``id``. It is
        asked when it was opened, before each run, whose results are stamped with the id, and after it: a new id goes
        to the lab, which keeps the values.
        """
        return self._said_calibration

    @cached_property
    def _said_calibration(self) -> Calibration:
        return calibration_of(self.capabilities())

    def preview(self, program: Program) -> Preview:
        """What the program becomes here, and when its pulses play; by default there is none.

        Called on an instance that is never opened, in a process of its own with limits of time and memory: it may
        import what it needs, and touches no instrument. `qpi_jupyter.core.preview_of` cuts what is too large.

        Raises
        ------
        Rejected, ProgramError, TooLarge
            as `validate`; or there is no preview of such a program.
        """
        raise Rejected(
            f"{self.manifest.executor} has no preview of {program.format} programs. Submit the job to run it.",
            code="no_preview",
        )

    def provenance(self, program: Program) -> dict[str, Any]:
        """What its results add to the manifest: ``libraries`` (name to version), ``readout`` (how bits came about)."""
        return {}

    def readings(self) -> Mapping[str, tuple[float | None, str]]:
        """What is worth watching around the processor, by name with its unit: ``{"mxc/temperature": (0.011, "K")}``.

        A driver asks every few seconds, also during a run, in a process of its own in which `open` is not called: take
        what it needs from the options and leave the instrument that `run` uses alone. Up to 200 channels. None, NaN
        or an error is a gap in the chart; a call that takes longer than 10 s is ended.
        """
        return {}

    def open(self) -> None:  # noqa: B027 - nothing to open is a good answer
        """Connect to the instrument."""

    def close(self) -> None:  # noqa: B027
        """Let go of the instrument."""

    @cached_property
    def manifest(self) -> Manifest:
        """The capabilities, with what the lab has to know of the formats."""
        manifest = self.calibration().into(self.capabilities())
        known = {form.name: form.facts() for form in self.formats}
        names = manifest.formats or tuple(known)
        return replace(manifest, formats=names, format_facts=tuple(known[name] for name in names if name in known))

    def check(self, program: Program) -> None:
        """Refuse what the manifest and the limits of the program's format rule out, without reading the program.

        Raises
        ------
        Rejected, ProgramError, TooLarge
            as `validate`.
        """
        manifest = self.manifest
        form = next((form for form in self.formats if form.name == program.format), unknown_format(program.format))
        check_program(program, form, max_shots=manifest.max_shots)
        check_fit(manifest.executor, manifest, program)


class CircuitExecutor(Executor):
    """An executor of Qiskit circuits, which come as OpenQASM or QPY: `runs` reads them."""

    formats: ClassVar[tuple[ProgramFormat, ...]] = (OPENQASM2, OPENQASM3, QPY)

    def validate(self, program: Program) -> None:
        """As `Executor.validate`: all that `runs` refuses."""
        self.runs(program)

    def estimate(self, program: Program) -> Estimate:
        """As `Executor.estimate`, parameter rows counted."""
        return _by_shots([run.shots for run in self.runs(program)])

    def runs(self, program: Program) -> list[Run]:
        """The program's circuits times their parameter rows, bound and checked against `capabilities`.

        Raises
        ------
        Rejected, ProgramError, TooLarge
            as `validate`.
        """
        from .programs import flatten

        self.check(program)
        return flatten(program, self.capabilities())


def _by_shots(shots: list[int]) -> Estimate:
    likely_s = 1.0 + 1e-3 * sum(shots)
    return Estimate(estimate_s=likely_s, upper_s=10 * likely_s, num_circuits=len(shots))
