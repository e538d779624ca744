"""Studies of circuits for plans over several QPUs: ``python -m qpi_executors.planning``.

The lab's server starts it where somebody plans, and keeps it for a while: it is a process of its own because the
circuits are anybody's, and because loading Qiskit takes longer than most studies.
"""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from qpi_jupyter.core import Manifest, Program, ProgramError, QpiError, pack, unpack
from qpi_jupyter.core.planning import Study
from qpi_jupyter.core.plans import PlanRequest
from qpi_jupyter.core.reservations import Compiled
from qpi_jupyter.data.cutting import Cutter, installed
from qpi_jupyter.data.figures import Transpiler
from qpi_jupyter.data.planning import study

from .answers import answer_all
from .compiling import Compiler
from .programs import parse

MEMORY_BYTES = 4 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question: what is wanted of a program's circuit, and what there is to run it on. Its sources come beside it.

    ``compile``: the program is a fragment, which is to be compiled for the only target, and no plan is wanted.
    """

    format: str
    request: PlanRequest
    targets: dict[str, Manifest]
    compile: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The study, whose blobs come beside it, or what compiling came to; or the error, as a dictionary."""

    study: Study | None = None
    compiled: Compiled | None = None
    error: dict[str, Any] | None = None


class Planner:
    """Answers questions, and remembers what transpiling for targets came to."""

    def __init__(self) -> None:
        self._transpiler, self._compiler = Transpiler(), Compiler()
        self._cutter: Cutter | None = installed()

    def answer(self, question: bytes) -> bytes:
        """The answer with its blobs, packed; see `Asked` and `Answered`."""
        try:
            head, *sources = unpack(question)
            asked = msgspec.json.decode(head, type=Asked)
            if asked.compile:
                return pack((msgspec.json.encode(Answered(compiled=self._compiled(asked, tuple(sources)))),))
            found, blobs = self._study(asked, tuple(sources))
        except QpiError as error:
            return _refusal(error)
        except Exception as error:  # whatever a library of ours makes of a stranger's circuit
            return _refusal(ProgramError(f"The circuit cannot be planned: {error!s:.300}", code="not_planned"))
        return pack((msgspec.json.encode(Answered(study=found)), *blobs))

    def _compiled(self, asked: Asked, sources: tuple[bytes, ...]) -> Compiled | None:
        (target,) = asked.targets.values()
        return self._compiler.compile(Program(format=asked.format, sources=sources), target, asked.request.seed)

    def _study(self, asked: Asked, sources: tuple[bytes, ...]) -> tuple[Study, list[bytes]]:
        circuits = parse(Program(format=asked.format, sources=sources))
        if len(circuits) != 1:
            raise ProgramError(
                f"A plan is made for one circuit, and the program has {len(circuits)}: plan each by itself.",
                code="many_circuits",
            )
        return study(
            circuits[0].circuit, asked.request, asked.targets,
            cutter=self._cutter, transpiler=self._transpiler, limit=cpu_limit,
        )  # fmt: skip


def _refusal(error: QpiError) -> bytes:
    return pack((msgspec.json.encode(Answered(error=error.to_dict())),))


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """End what is within after so much processor time: TimeoutError. Only in a main thread."""

    def late(_number: int, _frame: object) -> None:
        raise TimeoutError(f"more than {seconds:g} s")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


def main() -> None:
    """Answer one question after the other."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    answer_all(Planner().answer)


if __name__ == "__main__":
    main()
