"""Tab completion of the magics: their options, QPU names, job ids."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_KEEP_S = 5.0
"""How long names are remembered: a person types faster than QPUs appear."""
_VALUES = {"--meas-level": ("0", "1", "2"), "--meas-return": ("single", "avg")}
_JOB_MAGICS = frozenset({"%qpi_job", "%qpi_cancel"})


class Completer:
    """IPython's ``complete_command`` hook for our magics."""

    def __init__(self, options: tuple[str, ...]) -> None:
        self._options = options
        self._known: dict[str, tuple[float, list[str]]] = {}

    def __call__(self, shell: InteractiveShell, event: Any) -> list[str]:
        before = event.line[: len(event.line) - len(event.symbol)].split()
        last = before[-1] if before else ""
        if last == "--qpu":
            return self._names("qpus")
        if last in _VALUES:
            return list(_VALUES[last])
        if event.command in _JOB_MAGICS:
            return self._names("jobs")
        return [option for option in self._options if option not in before]

    def _names(self, kind: str) -> list[str]:
        at, names = self._known.get(kind, (0.0, []))
        if names and time.monotonic() - at < _KEEP_S:
            return names
        from qpi_jupyter.client import connect
        from qpi_jupyter.core.errors import QpiError

        try:
            lab = connect()
            names = [job.id for job in lab.jobs(limit=10)] if kind == "jobs" else list(lab.qpus().names)
        except (QpiError, RuntimeError):
            # No lab, no names; the magic itself will say so.
            return []
        self._known[kind] = (time.monotonic(), names)
        return names


def register(shell: InteractiveShell) -> None:
    """Hook the completer to every magic that has something to complete."""
    from .magics import submit_options

    completer = Completer(submit_options())
    for name in ("%%qpi_submit", "%qpi_submit", *sorted(_JOB_MAGICS)):
        shell.set_hook("complete_command", completer, str_key=name)
