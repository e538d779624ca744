"""How a job is displayed: kept up to date in a kernel, blocking below ``--wait``, or as it is now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .bundle import bundle, finished
from .loops import running_loop

if TYPE_CHECKING:
    from qpi_jupyter.client import JobHandle


def show(job: JobHandle) -> None:
    """Display the job: what `_ipython_display_` does."""
    from IPython.display import display

    if job.final or not in_kernel():
        display(mimebundle(job) if job.final else {"text/plain": repr(job)}, raw=True)
        return
    from .follow import follow

    follow(job)


def watch(job: JobHandle) -> None:
    """Display the job and keep it up to date while the cell blocks; returns when it has ended."""
    from .follow import follow

    follow(job).wait()


def mimebundle(job: JobHandle) -> dict[str, Any]:
    """The job as it is now, for those who ask for a representation instead of a display."""
    return job.http.portal.run(finished(job)) if job.final else bundle(job)


def in_kernel() -> bool:
    """Whether outputs can be written later: a kernel's loop runs around this cell."""
    if running_loop() is None:
        return False
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None
