"""What a kernel pays before its first job."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator

from .harness import Figure, interleaved

BARE = "from IPython.core.interactiveshell import InteractiveShell as S; s = S.instance()"
LOAD = BARE + "; s.run_line_magic('load_ext', 'qpi_jupyter')"


def run(*, quick: bool) -> Iterator[Figure]:
    """``%load_ext qpi_jupyter`` in a fresh IPython, against the same IPython without it."""

    def fresh(code: str) -> object:
        return subprocess.run([sys.executable, "-c", code], check=True)

    fresh(LOAD)
    ours, bare = interleaved(lambda: fresh(LOAD), lambda: fresh(BARE), 5 if quick else 15)
    extra = statistics.median(ours) - statistics.median(bare)
    yield Figure(name="%load_ext qpi_jupyter, seconds on top of IPython", ratio=extra, goal=0.3, unit=" s")
