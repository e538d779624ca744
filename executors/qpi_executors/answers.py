"""The one answer of a process that imports guests: nothing that they print gets into it."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def own_output() -> TextIO:
    """This process's standard output, for its answer alone: what is printed from here on, from Python or from below
    it, goes to standard error."""
    sys.stdout.flush()
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answer
