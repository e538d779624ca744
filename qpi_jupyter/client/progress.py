"""How far a job is, in a line that is written anew: in a terminal. A notebook shows the job itself."""

from __future__ import annotations

import sys

from qpi_jupyter.wire.jobs import JobModel

_WIDTH = 30


class ProgressBar:
    """The line of one job. Where there is no terminal, as in a script whose output goes to a file, there is none."""

    def __init__(self) -> None:
        self._last = ""

    def show(self, model: JobModel, explanation: str) -> None:
        """How far it is now."""
        name, points = model.name or "Sweep", model.num_circuits
        if model.status == "pending":
            self._write(f"{name}: {explanation}")
            return
        done = points if model.status == "completed" else max(model.rows, int(model.progress * points))
        filled = _WIDTH * done // max(1, points)
        self._write(f"{name}: {done:,} of {points:,} points [{'#' * filled}{'.' * (_WIDTH - filled)}]")

    def end(self) -> None:
        """Leave the line as it is, and go to the next."""
        if self._last:
            print(flush=True)
            self._last = ""

    def _write(self, line: str) -> None:
        if line != self._last and sys.stdout.isatty():
            print(f"\r{line.ljust(len(self._last))}", end="", flush=True)
            self._last = line
