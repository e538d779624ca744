"""A process that runs a circuit in dummy mode on each pair of files: ``python -m ... EXECUTOR DEVICE HARDWARE ...``.

It prints, as JSON, how many of the shots read 1 on each pair.
"""

from __future__ import annotations

import json
import sys
import warnings

from qpi_executors import load
from qpi_jupyter.core import Program, RunOptions

SHOTS = 50
FLIP = b"OPENQASM 3.0; include 'stdgates.inc'; qubit[1] q; bit[1] c; x q[0]; c = measure q;".replace(b"'", b'"')


def main(executor: str, *files: str) -> None:
    """Flip the first qubit of each device, and measure it."""
    warnings.simplefilter("ignore")  # the schedulers' own
    print(json.dumps([_ones(executor, *pair) for pair in zip(files[::2], files[1::2], strict=True)]))


def _ones(name: str, device: str, hardware: str) -> int:
    executor = load(name, device=device, hardware=hardware, is_dummy=True, seed=5)
    executor.open()
    try:
        program = Program(format="openqasm3", sources=(FLIP,), options=RunOptions(shots=SHOTS))
        (found,) = executor.run(program, progress=lambda share: None, cancelled=lambda: False)
        return int(found["bit"].sum())
    finally:
        executor.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
