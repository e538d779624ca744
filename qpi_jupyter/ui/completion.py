"""Tab completion of the magics: their options, QPU names, job ids."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .arguments import options_of

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_KEEP_S = 5.0
"""How long names are remembered: a person types faster than QPUs appear."""
_JOB_MAGICS = frozenset({"%qpi_job", "%qpi_cancel"})
_QPU_MAGICS = frozenset({"%qpi_book", "%qpi_bookings", "%qpi_calendar"})
_TIMES = ("now", "today", "tomorrow", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_VALUES = {
    "--meas-level": ("0", "1", "2"),
    "--meas-return": ("single", "avg"),
    "--mode": ("priority", "exclusive", "maintenance"),
    "--for": ("30min", "1h", "2h", "4h"),
    "--status": ("pending", "running", "completed", "failed", "cancelled"),
}


class Completer:
    """IPython's ``complete_command`` hook for our magics."""

    def __init__(self, options: Mapping[str, tuple[str, ...]]) -> None:
        self._options = options
        self._known: dict[str, tuple[float, list[str]]] = {}

    def __call__(self, shell: InteractiveShell, event: Any) -> list[str]:
        before = event.line[: len(event.line) - len(event.symbol)].split()
        last = before[-1] if before else ""
        if last == "--qpu":
            return self._names("qpus")
        if last == "--after":
            return [*_job_variables(shell), *self._names("jobs")]
        if last in _VALUES:
            return list(_VALUES[last])
        if event.command in _JOB_MAGICS:
            return self._names("jobs")
        options = [option for option in self._options.get(event.command, ()) if option not in before]
        if event.command in _QPU_MAGICS and len(before) == 1:
            return [*self._names("qpus"), *options]
        if event.command == "%qpi_book" and len(before) == 2:
            return [*_TIMES, *options]
        return options

    def _names(self, kind: str) -> list[str]:
        at, names = self._known.get(kind, (0.0, []))
        if names and time.monotonic() - at < _KEEP_S:
            return names
        from qpi_jupyter.client import connect
        from qpi_jupyter.core import QpiError

        try:
            lab = connect()
            names = [job.id for job in lab.jobs(limit=10)] if kind == "jobs" else list(lab.qpus().names)
        except (QpiError, RuntimeError):
            # No lab, no names; the magic itself will say so.
            return []
        self._known[kind] = (time.monotonic(), names)
        return names


def _job_variables(shell: InteractiveShell) -> list[str]:
    """The names that hold a job, or data that are still measured."""
    from qpi_jupyter.client import JobHandle

    from .pending import Pending

    found = shell.user_ns.items()
    return [name for name, value in found if isinstance(value, JobHandle | Pending) and not name.startswith("_")]


def register(shell: InteractiveShell) -> None:
    """Hook the completer to every magic that has something to complete."""
    from .magics import QpiMagics
    from .rules_magics import RulesMagics

    submit = options_of(QpiMagics.qpi_submit)
    options = {
        "%%qpi_submit": submit,
        "%qpi_submit": submit,
        "%qpi_jobs": options_of(QpiMagics.qpi_jobs),
        "%qpi_connect": options_of(QpiMagics.qpi_connect),
        "%qpi_book": options_of(RulesMagics.qpi_book),
        "%qpi_bookings": options_of(RulesMagics.qpi_bookings),
        "%qpi_balance": options_of(RulesMagics.qpi_balance),
        "%qpi_notices": ("dismiss",),
    }
    completer = Completer(options)
    for name in sorted({*options, *_JOB_MAGICS, *_QPU_MAGICS}):
        shell.set_hook("complete_command", completer, str_key=name)
