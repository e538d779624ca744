"""The executor contract: ten lines are enough for a new one (``docs/how-to/custom-executor.md``)."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.core.manifest import Estimate, Manifest
from qpi_jupyter.core.programs import Program, check_program

if TYPE_CHECKING:
    import xarray as xr

    from .programs import Run


class RunCancelled(Exception):
    """`Executor.run` stopped because ``cancelled()`` said so; there is no result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One constructor option: its default, what it means and its JSON type.

    A value may come as text (a command line): then it is read as JSON unless ``kind`` is ``str``.
    None is always allowed and means "not set".
    """

    doc: str
    default: object = None
    kind: type = str

    def read(self, name: str, value: object) -> object:
        """The value in its type.

        Raises
        ------
        Rejected
            the value is of another type.
        """
        if value is None:
            return None
        if isinstance(value, str) and self.kind is not str:
            try:
                value = json.loads(value)
            except ValueError:
                raise self._refusal(name, value) from None
        if isinstance(value, tuple):
            value = list(value)
        if self.kind is float and type(value) is int:
            value = float(value)
        if value is not None and type(value) is not self.kind:
            raise self._refusal(name, value)
        return value

    def _refusal(self, name: str, value: object) -> Rejected:
        return Rejected(
            f"Executor option {name!r} is a {self.kind.__name__}, not {value!r}: {self.doc}",
            code="bad_option",
            field=name,
        )


class Executor(ABC):
    """Runs programs on one processor and returns one Dataset per circuit and parameter row.

    ====================================== =========================================================================
    call                                   when
    ====================================== =========================================================================
    ``Executor(**options)``                any time, any number of times; it touches no instrument
    ``capabilities``, ``validate``,        any time, before `open` and beside a running `run` of another instance:
    ``estimate``                           they touch no instrument; a repeat gives the same answer
    ``open``                               once before the first `run`; a repeat does nothing
    ``run``                                after `open`, one at a time; a repeat measures again
    ``close``                              last, also after a failed `open`; a repeat does nothing
    ====================================== =========================================================================

    Only `capabilities` and `run` have to be written.  Each instance lives in a process of its own, which the driver
    may kill at any moment: leave no state that a kill would spoil.

    Raise `Rejected` or `ProgramError` where the program is at fault (the job fails, finally) and `Faulted` where the
    bench is (the job may be tried again); anything else counts as `Faulted`.
    """

    options: ClassVar[Mapping[str, Option]] = {}
    """The constructor's options, by name."""

    def __init__(self, **options: object) -> None:
        unknown = sorted(set(options) - set(self.options))
        if unknown:
            known = ", ".join(sorted(self.options)) or "none"
            raise Rejected(
                f"{type(self).__name__} has no option {', '.join(map(repr, unknown))}; it knows: {known}.",
                code="unknown_option",
                field=unknown[0],
                known=sorted(self.options),
            )
        # The values are of the types their Options name, which the type checker cannot see: hence Any.
        self.settings: dict[str, Any] = {
            name: option.read(name, options.get(name, option.default)) for name, option in self.options.items()
        }

    @abstractmethod
    def capabilities(self) -> Manifest:
        """What the processor can do: the public manifest, and the source of the Qiskit Target."""

    @abstractmethod
    def run(
        self, program: Program, *, progress: Callable[[float], None], cancelled: Callable[[], bool]
    ) -> list[xr.Dataset]:
        """Measure, and return one Dataset for each of `runs` in its order, in the conventions of `qpi_jupyter.data`.

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
        """Refuse what cannot run, with the reason; return nothing when all is well.

        Raises
        ------
        Rejected, ProgramError, TooLarge
            what is wrong and what would be right; a bad text names line and column.
        """
        self.runs(program)

    def estimate(self, program: Program) -> Estimate:
        """The time and memory the program needs; by default a millisecond a shot, and ten times that as the bound."""
        runs = self.runs(program)
        likely_s = 1.0 + 1e-3 * sum(run.shots for run in runs)
        return Estimate(estimate_s=likely_s, upper_s=10 * likely_s, num_circuits=len(runs))

    def provenance(self, program: Program) -> dict[str, Any]:
        """What its results add to the manifest: ``libraries`` (name to version), ``readout`` (how bits came about)."""
        return {}

    def open(self) -> None:  # noqa: B027 - nothing to open is a good answer
        """Connect to the instrument."""

    def close(self) -> None:  # noqa: B027
        """Let go of the instrument."""

    def runs(self, program: Program) -> list[Run]:
        """The program's circuits times their parameter rows, bound and checked against `capabilities`.

        Raises
        ------
        Rejected, ProgramError, TooLarge
            as `validate`.
        """
        from .programs import flatten

        manifest = self.capabilities()
        check_program(program, max_shots=manifest.max_shots)
        _check_fit(program, manifest)
        return flatten(program, manifest)


def _check_fit(program: Program, manifest: Manifest) -> None:
    """Refuse formats, levels and extra options that the manifest does not list."""
    options = program.options
    if program.format not in manifest.formats:
        raise Rejected(
            f"{manifest.executor} runs {', '.join(manifest.formats)}, not {program.format}.",
            code="bad_format",
            field="format",
        )
    for name, value, allowed in (
        ("meas_level", options.meas_level, manifest.meas_levels),
        ("meas_return", options.meas_return, manifest.meas_returns),
    ):
        if value not in allowed:
            raise Rejected(
                f"{manifest.executor} has no {name} {value!r}; it has {', '.join(map(str, allowed))}.",
                code="bad_option",
                field=name,
            )
    unknown = sorted(set(options.extra) - set(manifest.options))
    if unknown:
        raise Rejected(
            f"{manifest.executor} has no run option {', '.join(map(repr, unknown))}; "
            f"it knows: {', '.join(manifest.options) or 'none beyond the common ones'}.",
            code="unknown_option",
            field=unknown[0],
            known=list(manifest.options),
        )
