"""A quantum lab inside Jupyter.

::

    import qpi_jupyter

    lab = qpi_jupyter.connect()
    job = lab.submit(circuit, qpu="sim-a", shots=2000)
    result = await job                      # or job.result()

In a notebook ``%load_ext qpi_jupyter`` adds ``%%qpi_submit`` and its sisters. Importing this brings in neither numpy
nor Qiskit nor HTTP: each name below is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .client import BookingConflict, JobCancelled, JobHandle, Lab, NewToken, connect, job
    from .ui.calendar import CalendarWidget

__all__ = ["BookingConflict", "JobCancelled", "JobHandle", "Lab", "__version__", "connect", "job"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import client

    # This package is where the kernel's rooms meet: the client does not know the widgets that show its things.
    client.JobHandle.renderer = client.NewToken.renderer = client.Lab.calendars = _Renderer()
    found = getattr(client, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Renderer:
    """The ui room, loaded when there is something to show."""

    def show(self, job: JobHandle) -> None:
        from .ui.display import show

        show(job)

    def mimebundle(self, job: JobHandle) -> dict[str, Any]:
        from .ui.display import mimebundle

        return mimebundle(job)

    def show_token(self, token: NewToken) -> None:
        from .ui.token_view import show_token

        show_token(token)

    def calendar(self, lab: Lab, qpu: str) -> CalendarWidget:
        from .ui.calendar import open_calendar

        return open_calendar(lab, qpu)


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """``%load_ext qpi_jupyter``: the magics."""
    from .ui import load

    load(ipython)


def unload_ipython_extension(ipython: InteractiveShell) -> None:
    """``%unload_ext qpi_jupyter``: take the magics away again."""
    from .ui import unload

    unload(ipython)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    # Only `jupyter-builder develop` reads this, in a checkout.
    return [{"src": "../labextension/dist", "dest": "qpi-jupyter"}]
