"""Fragments of plans, compiled for the calibration that a QPU has now: how well they would do, and what they become."""

from __future__ import annotations

import hashlib

import msgspec

from qpi_jupyter.core import Manifest, Program
from qpi_jupyter.core.reservations import Compiled
from qpi_jupyter.data.figures import Transpiler, hardest

from .programs import parse


class Compiler:
    """Compiles programs, and remembers what it found."""

    def __init__(self) -> None:
        self._transpiler = Transpiler(digests=True)

    def compile(self, program: Program, target: Manifest, seed: int) -> Compiled | None:
        """What the hardest of a program's circuits becomes, the one that its plan was weighed by; None where the
        target's own gates cannot carry it out.

        Raises
        ------
        ProgramError
            a source cannot be read.
        """
        circuit = hardest([one.circuit for one in parse(program)])
        name = hashlib.sha256(msgspec.json.encode(target)).hexdigest()
        figures = self._transpiler.figures(program.sha256, circuit, name, target, seed)
        if figures.problem:
            return None
        return Compiled(
            esp=figures.esp, shot_s=figures.shot_s, digest=figures.digest, calibration_id=target.calibration_id
        )  # fmt: skip
