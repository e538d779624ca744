"""How a job is displayed: live in a kernel, blocking below ``--wait``, or as it is now."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from qpi_jupyter.core import Unavailable

from .bundle import bundle, finished
from .state import state_of

if TYPE_CHECKING:
    from qpi_jupyter.client import JobHandle

_LOST_S = 2.0
"""How often a blocking view shows that the lab still does not answer."""


def show(job: JobHandle) -> None:
    """Display the job: what `_ipython_display_` does."""
    from IPython.display import display

    if job.final or not in_kernel():
        display(_finished(job) if job.final else {"text/plain": repr(job)}, raw=True)
        return
    from .follow import follow

    follow(job)


def watch(job: JobHandle) -> None:
    """Display the job and keep it up to date while the cell blocks; returns when it has ended."""
    from IPython.display import display

    shown = display(bundle(state_of(job), []), raw=True, display_id=True)
    while not job.final:
        lost = ""
        try:
            job.changed()
        except Unavailable as error:
            lost = error.message
        if shown is not None and not job.final:
            shown.update(bundle(state_of(job, lost), []), raw=True)
        if lost:
            with suppress(TimeoutError):
                job.wait(timeout=_LOST_S)
    if shown is not None:
        shown.update(_finished(job), raw=True)


def mimebundle(job: JobHandle) -> dict[str, Any]:
    """The job as it is now, for those who ask for a representation instead of a display."""
    return _finished(job) if job.final else bundle(state_of(job), [])


def _finished(job: JobHandle) -> dict[str, Any]:
    """The bundle of an ended job, blocking."""
    return job.http.portal.run(finished(job))


def in_kernel() -> bool:
    """Whether widgets can work: a kernel's loop runs around this cell."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None
