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

    from .client import BookingConflict, JobCancelled, JobHandle, Lab, analyse, compare, connect, job, runtime_service

__all__ = [
    "BookingConflict", "JobCancelled", "JobHandle", "Lab", "__version__", "analyse", "compare", "connect",
    "job", "runtime_service",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .ui import rendering

    found = getattr(rendering.client(), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


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
